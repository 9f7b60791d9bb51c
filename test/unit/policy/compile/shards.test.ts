import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compile } from '../../../../policy/compile/compile.ts';
import {
  decodeKeysShard,
  decodePolicyShard,
  decodeSharedShard,
  type KeysEntry,
  resolveWorkspace,
  type SharedShard,
} from '../../../../policy/compile/shard-codec.ts';
import {
  decodeShard,
  encodeShard,
  oversize,
  SHARED_SHARD,
  shardNames,
  shardOf,
} from '../../../../policy/compile/shards.ts';
import { decodeJSON, encodeJSON } from '../../../../policy/core/canonical-json.ts';
import type { CompiledWorkspace } from '../../../../policy/core/compiled-policy.ts';
import { err } from '../../../../policy/core/result.ts';
import { EMPTY, right, sha256, stored } from './stored.ts';

const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', '-', 'Z', '1'), minLength: 1, maxLength: 8 });
const entries = fc.dictionary(name, fc.string({ unit: 'binary' })).map((all) => new Map(Object.entries(all)));

describe('a shard', () => {
  test('is decoded as it was encoded, in any order of entries', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (entries, revision) => {
        const data = encodeShard(entries, revision, sha256);
        expect(encodeShard(new Map([...entries].toReversed()), revision, sha256)).toEqual(data);
        const shard = right(decodeShard(data, sha256));
        expect(shard.revision).toBe(revision);
        expect(shard.entries).toEqual(entries);
      }),
    );
  });

  test('is rejected with a changed character, or an entry added, removed or renamed', () => {
    const damage = fc.record({
      at: fc.nat(),
      by: fc.integer({ min: 1, max: 127 }),
      entry: fc.nat(),
      kind: fc.constantFrom('flip', 'drop', 'add', 'rename'),
    });
    fc.assert(
      fc.property(entries, fc.nat(), damage, (entries, revision, { at, by, entry, kind }) => {
        const data: Record<string, string> = { ...encodeShard(entries, revision, sha256) };
        const names = Object.keys(data);
        const hit = names[entry % names.length]!;
        const text = data[hit]!;
        if (kind === 'add') data['new'] = '{}';
        else if (kind === 'flip' && text !== '') {
          const index = at % text.length;
          data[hit] = text.slice(0, index) + String.fromCharCode(text.charCodeAt(index) ^ by) + text.slice(index + 1);
        } else {
          delete data[hit];
          if (kind === 'rename') data[`${hit}x`] = text;
        }
        expect(decodeShard(data, sha256)).toMatchObject({ ok: false });
      }),
    );
  });

  test('is rejected with another schema, without an index, or if missing', () => {
    const data = encodeShard(new Map([['a', '1']]), 7, sha256);
    const other = { ...data, index: data['index']!.replace('"schema":2', '"schema":3') };
    expect(
      [other, { a: '1' }, { index: 'x' }, { index: 'null' }, undefined].map((one) => decodeShard(one, sha256)),
    ).toEqual([
      err('it has schema 3, not 2'),
      err('it is missing or was never written'),
      err('its index is not readable'),
      err('its index is not readable'),
      err('it is missing or was never written'),
    ]);
  });

  test('that does not fit into a ConfigMap says what to do', () => {
    expect(oversize('tollgate-policy-3', { a: 'ä'.repeat(524_285), index: '' })).toBeNull();
    expect(oversize('tollgate-policy-3', { a: 'ä'.repeat(524_286), index: '' })).toBe(
      'tollgate-policy-3 would have 1048578 bytes and Kubernetes holds 1048576, so it stays as it was: raise the setting shards, or split large budgets.',
    );
  });
});

describe('values', () => {
  const money = fc.dictionary(
    fc.constantFrom('limitNano', 'capNano'),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n }),
  );
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      money,
      fc.array(tie('node')),
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('node')),
    ),
  })).node;

  test('are decoded with their bigints, and encoded as the same bytes for the same value', () => {
    fc.assert(
      fc.property(value, (value) => {
        const text = encodeJSON(value);
        expect(decodeJSON(text)).toEqual(value);
        expect(encodeJSON(decodeJSON(text))).toBe(text);
      }),
    );
    expect(encodeJSON({ b: 1n, a: [{ d: 1, c: 2 }] })).toBe('{"a":[{"c":2,"d":1}],"b":"1"}');
  });
});

test('a workspace keeps its shard, and all shards are used', () => {
  expect(shardNames(2)).toEqual({
    policy: ['tollgate-policy-0', 'tollgate-policy-1'],
    keys: ['tollgate-keys-0', 'tollgate-keys-1'],
  });
  expect(['payments/checkout', 'payments/search', 'helpdesk/helpdesk'].map((ref) => shardOf(ref, 8))).toEqual([
    7, 3, 2,
  ]);
  const counts = Array.from({ length: 8 }, () => 0);
  for (let i = 0; i < 8_000; i++) counts[shardOf(`team-${i % 50}/workspace-${i}`, 8)]! += 1;
  expect(Math.min(...counts)).toBeGreaterThan(800);
});

test('an unchanged workspace stays the same object, and a changed one does not', () => {
  const shard = (entries: Record<string, string>, revision: number) =>
    encodeShard(new Map(Object.entries(entries)), revision, sha256);
  const one = (version: number) => encodeJSON({ namespace: 'payments', name: 'one', version });
  const other = encodeJSON({ namespace: 'payments', name: 'other.one', version: 1 });
  const first = right(decodePolicyShard(shard({ 'payments.one': one(1), 'payments.other.one': other }, 1), sha256));
  const data = shard({ 'payments.one': one(2), 'payments.other.one': other }, 2);
  const second = right(decodePolicyShard(data, sha256, first));
  expect(second).toEqual(right(decodePolicyShard(data, sha256)));
  expect(second.workspaces.get('payments/other.one')).toBe(first.workspaces.get('payments/other.one'));
  const third = right(decodePolicyShard(shard({ 'payments.one': one(1) }, 3), sha256, second));
  expect([...third.workspaces.values()]).toMatchObject([{ name: 'one', version: 1 }]);
  expect(right(decodePolicyShard(data, sha256, undefined))).toEqual(second);
});

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
    namespaces: new Map([['payments', {}]]),
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

  test('joins a workspace with its budgets, prices and credentials', () => {
    const resolved = right(resolveWorkspace(entry, shared, keys));
    expect(resolved.keys).toEqual({ api: 'abc' });
    expect(resolved.workspace).toMatchObject({ name: 'checkout', version: entry.version, upstreamKey: 'sk-ant' });
    expect(resolved.workspace.budgets.map(({ name }) => name)).toEqual(['organisation']);
    expect(resolved.workspace.prices.version).toBe('test');
    expect(shared.epoch).toBe('e1');
  });

  test('lists what is missing, or of another version', () => {
    expect(resolveWorkspace(entry, { budgets: new Map(), books: new Map() }, undefined)).toEqual(
      err([entry.spanning[0], entry.prices, 'credentials']),
    );
    expect(resolveWorkspace(entry, shared, { ...keys, checksum: 'other' })).toEqual(err(['credentials']));
  });
});
