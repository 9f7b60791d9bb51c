import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeJSON, encodeJSON } from '../../../../policy/core/canonical-json.ts';
import { deepEqual } from '../../../../policy/core/deep-equal.ts';

describe('deepEqual', () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.constant(undefined));
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.array(fc.oneof(fc.string(), fc.integer()), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'b', 'limitNano'), tie('tree'), { maxKeys: 3 }),
    ),
  }));
  const record = fc.dictionary(fc.constantFrom('a', 'b', 'constructor'), tree, { maxKeys: 3 });

  test('is true if and only if the canonical JSON is the same', () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        expect(deepEqual(a, b)).toBe(encodeJSON(a) === encodeJSON(b));
        expect(deepEqual(a, structuredClone(a))).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('is true after encoding and decoding', () => {
    const budget = {
      limitNano: 25n,
      per: ['customer'],
      grants: [],
      exempt: undefined,
      scope: { tags: { env: ['prod'] } },
    };
    expect(deepEqual(budget, decodeJSON(encodeJSON(budget)))).toBe(true);
    expect(deepEqual(budget, { ...budget, limitNano: 26n })).toBe(false);
    expect(deepEqual(budget, { ...budget, totalNano: 1n })).toBe(false);
    expect(deepEqual({ ...budget, totalNano: 1n }, budget)).toBe(false);
    expect(deepEqual(budget, { ...budget, per: ['customer', 'user'] })).toBe(false);
    expect(deepEqual([], {})).toBe(false);
  });
});
