/** The examples against a real API server. Nothing is stored: a spanning budget would govern the other tests' calls. */

import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import type { ClaudeBudget, ClaudeWorkspace } from '../../../crds/types.gen.ts';
import { kubectl } from '../../../hack/services/kubectl.ts';
import { compile } from '../../../policy/compile/compile.ts';
import { parseSettings } from '../../../policy/config/settings.ts';
import { SHIPPED_NAMES_TEXT } from '../../../policy/names/name-list.ts';
import { cluster } from '../../support/cluster.ts';

const root = join(import.meta.dirname, '../../..');
const folder = join(root, 'examples');
const secret = { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant-not-a-real-key' } };
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

type Resource =
  | ClaudeBudget
  | ClaudeWorkspace
  | { kind: 'Namespace' | 'Secret'; metadata: { name: string; namespace?: string } };

const resources = files.flatMap(read);
const budgets = resources.filter((resource) => resource.kind === 'ClaudeBudget');
const workspaces = resources.filter((resource) => resource.kind === 'ClaudeWorkspace');

let namespace: string;

beforeAll(async () => {
  namespace = await cluster().namespace('examples');
});

test.each(files)('%s is taken as it is, and makes sense', async (file) => {
  const stored = await store(read(file));
  const input = {
    settings: parseSettings({ upstreams: ['api.anthropic.com', 'http://127.0.0.1:8899'] }),
    now: 0,
    hash: (text: string) => createHash('sha256').update(text).digest('hex'),
    epoch: null,
    workspaces: stored.filter((resource) => resource.kind === 'ClaudeWorkspace'),
    budgets: stored.filter((resource) => resource.kind === 'ClaudeBudget'),
    namespaces: new Map(workspaces.map(({ metadata: { namespace: name } }) => [name, { uid: name, labels: {} }])),
    upstreamSecrets: new Map(workspaces.map(({ metadata }) => [`${metadata.namespace}/anthropic`, secret])),
    callerKeys: new Map(),
    secretConflicts: new Map(),
    prices: { text: readFileSync(join(root, 'policy/prices/prices.json'), 'utf8'), fallback: false },
    names: { text: SHIPPED_NAMES_TEXT, fallback: false },
    exceeded: [],
    previous: { policy: new Map(), keys: new Map(), shared: null },
    fences: new Map(),
  };
  const verdicts = compile(input);
  const accepted = [...verdicts.workspaces, ...verdicts.budgets].map(([name, each]) => [name, each.accepted.reason]);
  expect(accepted).toHaveLength(input.workspaces.length + input.budgets.length);
  expect(accepted.filter(([, reason]) => reason !== 'Accepted')).toEqual([]);
});

test('the environments have the budgets that were asked for, and a key for each', () => {
  const limits = read('environments.yaml').filter((resource) => resource.kind === 'ClaudeBudget');
  expect(
    limits.map(({ metadata, spec }) => [metadata.namespace, metadata.name, spec.limit.usd, spec.period.every]),
  ).toEqual([
    ['production', 'chat', '3000.00', 'Month'],
    ['production', 'analysis', '1500.00', 'Month'],
    ['production', 'batch', '500.00', 'Month'],
    ['staging', 'everything', '400.00', 'Month'],
    ['development', 'everything', '200.00', 'Month'],
  ]);
  const keys = read('environments.yaml').flatMap((resource) =>
    resource.kind === 'ClaudeWorkspace' ? resource.spec.keys : [],
  );
  expect(keys).toHaveLength(limits.length);
});

test('the features have a workspace, a monthly budget and somebody to ask each', () => {
  const limits = read('features.yaml').filter((resource) => resource.kind === 'ClaudeBudget');
  expect(limits.map(({ spec }) => [spec.workspaceRef?.name, spec.limit.usd, spec.period.every])).toEqual([
    ['chat', '1000.00', 'Month'],
    ['analysis', '500.00', 'Month'],
    ['batch', '200.00', 'Month'],
    ['development', '100.00', 'Month'],
  ]);
  const contacts = read('features.yaml').flatMap((resource) =>
    resource.kind === 'ClaudeWorkspace' ? [resource.spec.refusal?.message] : [],
  );
  expect(contacts).toEqual(Array.from({ length: 4 }, () => 'Ask in #claude-costs.'));
});

test('every budget governs a workspace of the examples', () => {
  const names = new Set(workspaces.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`));
  const named = budgets.filter(({ spec }) => spec.workspaceRef);
  expect(named.length).toBeGreaterThan(0);
  for (const { metadata, spec } of named) expect(names).toContain(`${metadata.namespace}/${spec.workspaceRef!.name}`);
});

/** As written: what has a default may be missing. */
function read(file: string): Resource[] {
  const documents = parseAllDocuments(readFileSync(join(folder, file), 'utf8'));
  return documents.map((document) => document.toJS() as Resource);
}

/** What the API server would store, with its defaults. All of it is posted into one namespace that exists. */
async function store(written: readonly Resource[]): Promise<Resource[]> {
  const moved = written.map((resource) => inNamespace(resource, namespace));
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: moved });
  const apply = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-o', 'json', '-f', '-'];
  const { items } = JSON.parse(await kubectl(cluster().kubeconfig, apply, list)) as { items: Resource[] };
  return items.map((resource, i) => inNamespace(resource, written[i]!.metadata.namespace));
}

function inNamespace(resource: Resource, namespace: string | undefined): Resource {
  if (resource.metadata.namespace === undefined) return resource;
  return { ...resource, metadata: { ...resource.metadata, namespace } } as Resource;
}
