import { expect, test } from '@jest/globals';
import { slicesOf } from '../../../../ledger/redis/reading-slices.ts';
import type { ReadingQuery } from '../../../../policy/core/counter-reading.ts';

function query(counter: string, top: number, also: number): ReadingQuery {
  return { counter, per: true, top, also: Array.from({ length: also }, (_, index) => `["${index}"]`) };
}

const pool: ReadingQuery = { counter: 'pool', per: false, top: 0, also: [] };

test('no script reads more than 101 counters, whatever is asked', () => {
  const queries = [pool, query('a', 100, 0), query('b', 10, 250), pool, query('c', 0, 0), query('d', 100, 100)];
  const slices = slicesOf(queries);
  for (const slice of slices) {
    const counters = slice.reduce((sum, { top, also }) => sum + 1 + top + also.length, 0);
    expect(counters).toBeLessThanOrEqual(101);
  }
  const parts = slices.flat();
  expect(new Set(parts.map((part) => part.query))).toEqual(new Set(queries.keys()));
  for (const [index, { also }] of queries.entries()) {
    expect(parts.filter((part) => part.query === index).flatMap((part) => part.also)).toEqual(also);
  }
});

test('small queries share a script', () => {
  expect(slicesOf(Array.from({ length: 300 }, () => pool)).map(({ length }) => length)).toEqual([101, 101, 98]);
});

test('more values than a script may read are an error of the program', () => {
  expect(() => slicesOf([query('a', 101, 0)])).toThrow(RangeError);
});
