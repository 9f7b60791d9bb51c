/** Several writers of one object, as GitOps has them, against a real API server. */

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import type { ClaudeBudget, ClaudeWorkspace } from '../../../crds/types.gen.ts';
import { kubectl } from '../../../hack/services/kubectl.ts';
import { cluster } from '../../support/cluster.ts';

const examples = join(import.meta.dirname, '../../../examples');
type Kind = 'ClaudeWorkspace' | 'ClaudeBudget';
let namespace: string;

beforeAll(async () => {
  namespace = await cluster().namespace('apply');
});

/** Server-side apply as a field manager, without taking anything from another one. */
async function applyAs(manager: string, kind: Kind, name: string, spec: object, status?: object): Promise<string> {
  const object = { apiVersion: 'tollgate.dev/v1alpha1', kind, metadata: { name, namespace }, spec, status };
  const sub = status === undefined ? [] : ['--subresource=status'];
  const args = ['apply', '--server-side', `--field-manager=${manager}`, ...sub, '-f', '-'];
  return kubectl(cluster().kubeconfig, args, JSON.stringify(object));
}

async function read<T>(kind: Kind, name: string): Promise<T> {
  return JSON.parse(await cluster().kubectl('get', kind, name, '-n', namespace, '-o', 'json')) as T;
}

describe('server-side apply', () => {
  const upstream = { apiKeySecretRef: { name: 'anthropic' } };

  test('keys of two writers stand beside each other, and each removes only its own', async () => {
    const platform = { name: 'api', secretName: 'api-claude' };
    const team = { name: 'batch', secretName: 'batch-claude', priority: 'Deferrable' };
    await applyAs('argocd', 'ClaudeWorkspace', 'shared', { upstream, keys: [platform] });
    await applyAs('team', 'ClaudeWorkspace', 'shared', { keys: [team] });
    const both = await read<ClaudeWorkspace>('ClaudeWorkspace', 'shared');
    expect(both.spec.keys.map(({ name, secretName, priority }) => [name, secretName, priority])).toEqual([
      ['api', 'api-claude', 'Normal'],
      ['batch', 'batch-claude', 'Deferrable'],
    ]);
    await applyAs('argocd', 'ClaudeWorkspace', 'shared', { upstream });
    const one = await read<ClaudeWorkspace>('ClaudeWorkspace', 'shared');
    expect(one.spec.keys.map(({ name }) => name)).toEqual(['batch']);
  });

  test('a grant of whoever is on call survives the next sync of the budget', async () => {
    const written = {
      workspaceRef: { name: 'shared' },
      limit: { usd: '25.00' },
      grants: [{ usd: '10.00', untilTime: '2026-12-01T00:00:00Z', reason: 'launch' }],
      period: { every: 'Day' },
    };
    const grant = { usd: '5.00', untilTime: '2026-11-27T00:00:00Z', reason: 'incident 4711' };
    await applyAs('argocd', 'ClaudeBudget', 'granted', written);
    await applyAs('oncall', 'ClaudeBudget', 'granted', { grants: [grant] });
    await applyAs('argocd', 'ClaudeBudget', 'granted', { ...written, limit: { usd: '30.00' } });
    const { spec } = await read<ClaudeBudget>('ClaudeBudget', 'granted');
    expect(spec.limit.usd).toBe('30.00');
    const granted = Object.fromEntries(spec.grants.map(({ reason, usd }) => [reason, usd]));
    expect(granted).toEqual({ launch: '10.00', 'incident 4711': '5.00' });
  });

  test('two writers of one amount are told so', async () => {
    const spec = { workspaceRef: { name: 'shared' }, limit: { usd: '25.00' }, period: { every: 'Day' } };
    await applyAs('argocd', 'ClaudeBudget', 'contested', spec);
    const attempt = applyAs('oncall', 'ClaudeBudget', 'contested', { limit: { usd: '50.00' } });
    await expect(attempt).rejects.toThrow(/conflict with "argocd".*\.spec\.limit\.usd/s);
  });

  test('lists of values are united', async () => {
    const spec = { workspaceRef: { name: 'shared' }, limit: { usd: '1' }, period: { every: 'Day' } };
    await applyAs('argocd', 'ClaudeBudget', 'united', { ...spec, scope: { features: ['chat'] } });
    await applyAs('team', 'ClaudeBudget', 'united', { scope: { features: ['search'] } });
    const { spec: stored } = await read<ClaudeBudget>('ClaudeBudget', 'united');
    expect(stored.scope.features).toEqual(['chat', 'search']);
  });
});

describe.each(['client', 'server'] as const)('kubectl, %s-side', (side) => {
  const flags = side === 'server' ? ['--server-side'] : [];

  test.each(readdirSync(examples).filter((name) => name.endsWith('.yaml')))(
    'finds nothing to do after %s was applied, whatever the operator wrote',
    async (file) => {
      const own = await cluster().namespace('diff');
      const written = inNamespace(file, own);
      const run = (...args: string[]) => kubectl(cluster().kubeconfig, [...args, ...flags, '-f', '-'], written);
      await run('apply');
      const names = (await cluster().kubectl('get', 'tollgate', '-n', own, '-o', 'name')).trim().split('\n');
      expect(names.length).toBeGreaterThan(0);
      for (const name of names) {
        const patch = '{"status":{"conditions":[]}}';
        await cluster().kubectl('patch', name, '-n', own, '--subresource=status', '--type=merge', '-p', patch);
      }
      // It fails where there is a difference.
      expect(await run('diff')).toBe('');
      await run('apply', '--dry-run=server');
      const before = await versions(own);
      await run('apply');
      expect(await versions(own)).toEqual(before);
    },
  );
});

/** The example's objects, all of them in one namespace, which stands for those that it makes. */
function inNamespace(file: string, own: string): string {
  const objects = parseAllDocuments(readFileSync(join(examples, file), 'utf8')).map(
    (document) => document.toJS() as { kind: string; metadata: { name: string; namespace?: string } },
  );
  const items = objects
    .filter(({ kind }) => kind !== 'Namespace')
    .map((object) => {
      // Two environments may have a workspace of the same name.
      const name = `${object.metadata.namespace}-${object.metadata.name}`;
      return { ...object, metadata: { ...object.metadata, name, namespace: own } };
    });
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
}

/** They move with every write that changed something. */
async function versions(own: string): Promise<string> {
  const path = 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}';
  return cluster().kubectl('get', 'tollgate', '-n', own, '-o', path);
}
