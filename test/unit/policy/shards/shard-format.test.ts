import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeJSON, encodeJSON } from '../../../../policy/core/canonical-json.ts';
import { COMPILED_SCHEMA } from '../../../../policy/core/compiled-policy.ts';
import { err } from '../../../../policy/core/result.ts';
import { decodeShard, encodeShard, oversize, shardNames, shardOf } from '../../../../policy/shards/shard-format.ts';
import { right, sha256 } from '../compile/stored.ts';

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

  test('is rejected with an unknown schema, without an index, or if missing', () => {
    const data = encodeShard(new Map([['a', '1']]), 7, sha256);
    const other = (schema: number) => ({
      ...data,
      index: data['index']!.replace(`"schema":${COMPILED_SCHEMA}`, `"schema":${schema}`),
    });
    expect(
      [other(COMPILED_SCHEMA + 1), other(1), other(2), { a: '1' }, { index: 'x' }, { index: 'null' }, undefined].map(
        (one) => decodeShard(one, sha256),
      ),
    ).toEqual([
      err(`it has schema ${COMPILED_SCHEMA + 1}, not 2 to ${COMPILED_SCHEMA}`),
      err(`it has schema 1, not 2 to ${COMPILED_SCHEMA}`),
      err('its checksum does not fit its content'),
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
