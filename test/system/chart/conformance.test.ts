/** What the chart makes, against the schemas and the admission of a real API server. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { assetFolder } from '../../../hack/assets/asset-folder.ts';
import { chart, helm } from '../../../hack/generate/helm.ts';
import { kubectl } from '../../../hack/services/kubectl.ts';
import { cluster } from '../../support/cluster.ts';
import { find, manifests, render, type Resource, variants } from './render.ts';
import { writeSchemas } from './schemas.ts';

const root = join(import.meta.dirname, '../../..');
let location: string;
let namespace: string;

beforeAll(async () => {
  const { kubectl } = cluster();
  const foreign = assetFolder('crds');
  await kubectl('apply', '--server-side', '-f', foreign);
  await kubectl('wait', '--for=condition=Established', '--timeout=30s', '-f', foreign);
  location = writeSchemas(mkdtempSync(join(tmpdir(), 'schemas-')), await published());
  namespace = await cluster().namespace('chart');
  // Pods are refused without theirs, also where nothing is stored.
  await kubectl('create', 'serviceaccount', 'tollgate-test', '-n', namespace);
  await kubectl('label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted');
});

/** The schemas, once those of the kinds that were just made are among them. */
async function published(): Promise<string> {
  for (;;) {
    const openApi = await cluster().kubectl('get', '--raw', '/openapi/v2');
    if (['HTTPRoute', 'ServiceMonitor', 'PrometheusRule'].every((kind) => openApi.includes(`"kind":"${kind}"`)))
      return openApi;
  }
}

/** What kubeconform finds, and how many objects it looked at. */
function conform(yaml: string): { valid: number; problems: string[] } {
  const program = join(assetFolder('kubeconform'), 'kubeconform');
  const args = ['-strict', '-summary', '-output', 'json', '-schema-location', location, '-'];
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', input: yaml });
  if (stdout === '') throw new Error(stderr);
  const { resources, summary } = JSON.parse(stdout) as {
    resources: { kind: string; name: string; msg: string }[];
    summary: { valid: number };
  };
  return { valid: summary.valid, problems: resources.map(({ kind, name, msg }) => `${kind} ${name}: ${msg}`) };
}

test('helm lint has no remarks', () => {
  expect(helm(['lint', chart, '--strict'])).toContain('1 chart(s) linted, 0 chart(s) failed');
});

describe.each(Object.entries(variants))('the chart %s', (_name, values) => {
  test('conforms to the schemas', () => {
    const found = conform(manifests(values));
    expect(found.problems).toEqual([]);
    expect(found.valid).toBe(render(values).length);
  });

  test('is accepted by an API server without a warning', async () => {
    const said = await strict(manifests(values, namespace));
    expect(said.split('\n').filter((line) => line.startsWith('Warning'))).toEqual([]);
    expect(said.trim().split('\n')).toHaveLength(render(values).length);
  });

  test('runs under Pod Security restricted', async () => {
    for (const pod of render(values).flatMap(podOf)) {
      const dryRun = ['create', '--dry-run=server', '--validate=strict', '-n', namespace, '-f', '-'];
      await expect(kubectl(cluster().kubeconfig, dryRun, JSON.stringify(pod))).resolves.toContain('created');
    }
  });
});

/** What an upgrade would apply, knowing what is in the cluster. */
function upgrade(...set: readonly string[]): readonly Resource[] {
  const server = ['--dry-run=server', '--kubeconfig', cluster().kubeconfig, '--take-ownership'];
  const values = ['crds.enabled=false', ...set].join(',');
  const rendered = helm(['template', 'tollgate', chart, '-n', namespace, ...server, '--set', values]);
  return parseAllDocuments(rendered).flatMap((document) => (document.toJS() as Resource | null) ?? []);
}

test('autoscaling begins with as many gateways as there are', async () => {
  const running = find(render({ gateway: { replicas: 4 } }), 'Deployment', 'tollgate-gateway');
  const release = { 'meta.helm.sh/release-name': 'tollgate', 'meta.helm.sh/release-namespace': namespace };
  const labels = { ...running.metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' };
  const own = { ...running, metadata: { name: running.metadata.name, namespace, labels, annotations: release } };
  await kubectl(cluster().kubeconfig, ['create', '-f', '-'], JSON.stringify(own));
  const upgraded = upgrade('gateway.autoscaling.enabled=true');
  expect(find(upgraded, 'Deployment', 'tollgate-gateway').spec).toMatchObject({ replicas: 4 });
});

test('a generated password stays as long as the release, whatever Secret or store is named; an external one is left alone', async () => {
  const annotations = { 'meta.helm.sh/release-name': 'tollgate', 'meta.helm.sh/release-namespace': namespace };
  const labels = { 'app.kubernetes.io/managed-by': 'Helm' };
  const secret = { apiVersion: 'v1', kind: 'Secret', data: { password: 'a2VwdA==' } };
  const made = { ...secret, metadata: { name: 'tollgate-redis', namespace, labels, annotations } };
  const others = { ...annotations, 'meta.helm.sh/release-name': 'vault' };
  const theirs = { ...secret, metadata: { name: 'tollgate-postgres', namespace, labels, annotations: others } };
  for (const each of [made, theirs]) await kubectl(cluster().kubeconfig, ['create', '-f', '-'], JSON.stringify(each));
  const own = ['redis.auth.existingSecret=vault', 'postgres.auth.existingSecret=tollgate-postgres'];
  const external = ['redis.bundled=false', 'redis.external.urlSecret.name=our', ...own.slice(1)];
  for (const set of [own, external]) {
    const secrets = upgrade(...set).filter(({ kind, data }) => kind === 'Secret' && data !== undefined);
    expect(secrets).toMatchObject([{ metadata: { name: 'tollgate-redis' }, data: secret.data }]);
  }
  await kubectl(cluster().kubeconfig, ['delete', 'secret', '-n', namespace, 'tollgate-redis', 'tollgate-postgres']);
});

test('Pod Security would refuse a Pod that asks for more', async () => {
  const [pod] = render({ securityContext: { allowPrivilegeEscalation: true } }).flatMap(podOf);
  const create = kubectl(cluster().kubeconfig, ['create', '-n', namespace, '-f', '-'], JSON.stringify(pod));
  await expect(create).rejects.toThrow('violates PodSecurity "restricted:latest"');
});

test('kubeconform reports an unknown field, and knows our own kinds', () => {
  const wrong = 'apiVersion: v1\nkind: Service\nmetadata: { name: a }\nspec: { prots: [] }';
  expect(conform(wrong).problems).toEqual([expect.stringContaining('prots')]);
  const budget = 'apiVersion: tollgate.dev/v1alpha1\nkind: ClaudeBudget\nmetadata: { name: a }\nspec: { limits: {} }';
  expect(conform(budget).problems).toEqual([expect.stringContaining('limits')]);
});

test('the examples conform to the schemas, and those that Artifact Hub and the notes show', () => {
  // As they are typed off a screen: the line that ends the document stands alone.
  const notes = helm(['install', 'tollgate', chart, '--dry-run=client']);
  const [, typed] = /^kubectl apply -f - <<'YAML'\n(.*?)^YAML$/ms.exec(notes)!;
  expect(conform(typed!)).toEqual({ valid: 2, problems: [] });
  const { annotations } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as {
    annotations: Readonly<Record<string, string>>;
  };
  const shown = parse(annotations['artifacthub.io/crdsExamples']!) as object[];
  expect(conform(shown.map((each) => stringify(each)).join('---\n'))).toEqual({ valid: 2, problems: [] });
  const folder = join(root, 'examples');
  const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  expect(files.length).toBeGreaterThan(3);
  for (const name of files) expect(conform(readFileSync(join(folder, name), 'utf8')).problems).toEqual([]);
});

/** Server-side apply that stores nothing; with warnings. */
async function strict(yaml: string): Promise<string> {
  const args = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'];
  return kubectl(cluster().kubeconfig, args, yaml);
}

/** The Pod that a workload makes, but for what would have to be there before it: its ServiceAccount and its claims. */
function podOf({ kind, metadata, spec }: Resource): object[] {
  const { template, volumeClaimTemplates = [] } = (
    kind === 'Pod' ? { template: { metadata, spec } } : (spec ?? {})
  ) as Workload;
  if (template === undefined) return [];
  const { serviceAccountName: _, priorityClassName: __, volumes = [], ...rest } = template.spec;
  const claimed = volumeClaimTemplates.map(({ metadata }) => ({ name: metadata.name, emptyDir: {} }));
  const pod = { ...rest, volumes: [...volumes, ...claimed] };
  return [{ apiVersion: 'v1', kind: 'Pod', metadata: { generateName: 'pod-' }, spec: pod }];
}

interface Workload {
  readonly template?: {
    readonly spec: { serviceAccountName?: string; priorityClassName?: string; volumes?: readonly object[] };
  };
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
}
