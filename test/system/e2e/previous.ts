import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { CHART } from './release.ts';

/**
 * A chart before this one, in a folder of its own: an older version, whose CRDs check less. It has the images of this tree,
 * which start only under CRDs with every field that they use, so its fields are those of today.
 */
export function previousChart(): string {
  const folder = join(mkdtempSync(join(tmpdir(), 'tollgate-chart-')), 'tollgate');
  cpSync(CHART, folder, { recursive: true });
  const file = join(folder, 'Chart.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^version: .*$/m, 'version: 0.0.1'));
  const crds = join(folder, 'files', 'crds');
  for (const name of readdirSync(crds)) {
    const crd = parse(readFileSync(join(crds, name), 'utf8'), withoutRules) as unknown;
    writeFileSync(join(crds, name), stringify(crd));
  }
  return folder;
}

function withoutRules(key: unknown, value: unknown): unknown {
  return key === 'x-kubernetes-validations' ? undefined : value;
}
