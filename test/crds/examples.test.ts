/** The examples against a real API server. Nothing is stored: a spanning budget would govern the other tests' calls. */

import { beforeAll, expect, test } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import { kubectl } from '../../hack/kubectl.ts';
import { cluster } from '../support/cluster.ts';

const folder = join(import.meta.dirname, '../../examples');
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

test.each(files)('%s is taken as it is', async (file) => {
  const moved = read(file).map((resource) =>
    resource.metadata.namespace === undefined
      ? resource
      : { ...resource, metadata: { ...resource.metadata, namespace } },
  );
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: moved });
  const apply = ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-o', 'name', '-f', '-'];
  const taken = await kubectl(cluster().kubeconfig, apply, list);
  expect(taken.trim().split('\n')).toHaveLength(moved.length);
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
