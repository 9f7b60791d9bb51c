import { describe, expect, test } from '@jest/globals';
import { resolveWorkspace } from '../../../../policy/admit/resolved-workspace.ts';
import { compile } from '../../../../policy/compile/compile.ts';
import type { CompiledWorkspace } from '../../../../policy/core/compiled-policy.ts';
import { err } from '../../../../policy/core/result.ts';
import {
  decodeKeysShard,
  decodePolicyShard,
  decodeSharedShard,
  type KeysEntry,
  type SharedShard,
} from '../../../../policy/shards/shard-contents.ts';
import { SHARED_SHARD, shardNames, shardOf } from '../../../../policy/shards/shard-format.ts';
import { EMPTY, namespacesOf, right, sha256, stored } from '../compile/stored.ts';

describe('resolveWorkspace', () => {
  const workspace = stored({
    kind: 'ClaudeWorkspace',
    metadata: { name: 'checkout', namespace: 'payments', generation: 1 },
    spec: {
      upstream: { apiKeySecretRef: { name: 'anthropic' } },
      keys: [{ name: 'api', secretName: 'checkout-claude' }],
    },
  } as { kind: 'ClaudeWorkspace' });
  const spanning = stored({
    kind: 'ClaudeBudget',
    metadata: { name: 'organisation', namespace: 'tollgate-system', generation: 1 },
    spec: { namespaceSelector: {}, limit: { usd: '100.00' }, period: { every: 'Month' } },
  } as { kind: 'ClaudeBudget' });
  const output = compile({
    ...EMPTY,
    workspaces: [workspace],
    budgets: [spanning],
    namespaces: namespacesOf({ payments: {} }),
    upstreamSecrets: new Map([
      ['payments/anthropic', { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant' } }],
    ]),
    callerKeys: new Map([['payments/checkout', { api: 'abc' }]]),
  });
  const data = (shard: string) => output.shards.find((one) => one.name === shard)?.data;
  const index = shardOf('payments/checkout', 2);
  const entry = right(decodePolicyShard(data(shardNames(2).policy[index]!), sha256)).workspaces.get(
    'payments/checkout',
  ) as CompiledWorkspace;
  const keys = right(decodeKeysShard(data(shardNames(2).keys[index]!), sha256)).credentials.get(
    'payments/checkout',
  ) as KeysEntry;
  const shared: SharedShard = right(decodeSharedShard(data(SHARED_SHARD), sha256));

  test('fixes the attributes of the namespace over those of keys and headers, also as empty', () => {
    const tenant = {
      ...entry,
      headers: { customer: 'x-customer' },
      keys: [{ name: 'api', priority: 'Normal', attributes: { department: 'invented', feature: 'chat' } }],
      namespaceAttributes: { department: '', customer: 'acme', namespace: 'payments' },
    } as const;
    const [key] = right(resolveWorkspace(tenant, shared, keys)).workspace.keys;
    expect(key!.attributes).toEqual({ department: '', customer: 'acme', namespace: 'payments', feature: 'chat' });
  });

  test('joins a workspace with its budgets, prices and credentials', () => {
    const resolved = right(resolveWorkspace(entry, shared, keys));
    expect(resolved.keys).toEqual({ api: 'abc' });
    expect(resolved.workspace).toMatchObject({ name: 'checkout', version: entry.version, upstreamKey: 'sk-ant' });
    expect(resolved.workspace.budgets.map(({ name }) => name)).toEqual(['organisation']);
    expect(resolved.workspace.prices.version).toBe('test');
    expect(shared.epoch).toBe('e1');
  });

  test('lists what is missing, or of another version', () => {
    expect(resolveWorkspace(entry, { budgets: new Map(), books: new Map(), names: new Map() }, undefined)).toEqual(
      err([entry.spanning[0], entry.prices, entry.names, 'credentials']),
    );
    expect(resolveWorkspace(entry, shared, { ...keys, checksum: 'other' })).toEqual(err(['credentials']));
  });
});
