/**
 * Writes what is made from or for the chart: its copies of the CRDs, its dashboard, the manifests of hack/install/ (what a
 * Tollgate without Pods needs of it) and its README. With `--check` it writes nothing and exits 1 where a file is out of date.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dashboard } from '../dashboard/dashboard.ts';
import { generate } from './generated.ts';
import { chart, helm } from './helm.ts';
import { valuesPage } from './values-page.ts';

const repository = join(import.meta.dirname, '../..');

/** The templates of each manifest. */
const manifests: Readonly<Record<string, readonly string[]>> = {
  '1-shards.yaml': ['shards'],
  '2-operator.yaml': ['operator/rbac', 'operator/admission'],
  '3-gateway.yaml': ['gateway/rbac', 'gateway/service'],
  '4-tenants.yaml': ['tenants'],
};

function manifest(templates: readonly string[]): string {
  const only = templates.flatMap((template) => ['--show-only', `templates/${template}.yaml`]);
  const rendered = helm(['template', 'tollgate', chart, '--namespace', 'tollgate-system', ...only]);
  return `# Made from the chart by hack/generate/chart.ts; do not edit.\n${rendered.replaceAll(/\n+---/g, '\n---').trim()}\n`;
}

const readme = `<!-- Made by hack/generate/chart.ts from values.yaml; do not edit. -->

# Tollgate
Budgets for Claude that hold: an operator and a gateway that keep what a company spends on the Anthropic API inside its budgets. Needs Kubernetes 1.32 or later and Helm 4 (tests run 4.3; 3.17 or later takes the same chart).

\`\`\`sh
helm install tollgate charts/tollgate --namespace tollgate-system --create-namespace --wait
\`\`\`

[Install](../../docs/how-to/install.md) says what comes with it and what to decide before; [upgrade](../../docs/how-to/upgrade.md) and [uninstall](../../docs/how-to/uninstall.md) what stays.

## Values
A value that does not exist or has a wrong type is refused (\`values.schema.json\`).

`;

const crds = join(repository, 'crds');
const files = new Map<string, string>();
for (const name of readdirSync(crds).filter((each) => each.endsWith('.yaml')))
  files.set(join(chart, 'files', 'crds', name), readFileSync(join(crds, name), 'utf8'));
for (const [name, templates] of Object.entries(manifests))
  files.set(join(repository, 'hack', 'install', name), manifest(templates));
files.set(join(chart, 'files', 'dashboard.json'), dashboard());
files.set(join(chart, 'README.md'), `${readme}${valuesPage(readFileSync(join(chart, 'values.yaml'), 'utf8'))}\n`);
generate(files, process.argv.includes('--check'));
