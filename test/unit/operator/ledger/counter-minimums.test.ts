import { describe, expect, test } from '@jest/globals';
import type { ClaudeBudgetStatus } from '../../../../crds/types.gen.ts';
import { counterMinimums, lastingMinimums } from '../../../../operator/ledger/counter-minimums.ts';
import { budgetPeriodAt } from '../../../../policy/core/budget-period.ts';
import { SHARED_VALUE } from '../../../../policy/core/counter-reading.ts';
import { nano } from '../../../../policy/core/money.ts';
import { budgetOf } from '../../../support/budget.ts';

const NOW = Date.parse('2026-11-25T17:00:00Z');

describe('the minimums from a status', () => {
  const customers = budgetOf({ per: ['customer', 'user'] });
  const status = {
    period: { start: '2026-11-25T05:00:00Z', end: '2026-11-26T05:00:00Z' },
    spentUsd: '20.412310001',
    presumedUsd: '0.30',
    requests: 8123,
    top: [
      { values: ['acme', 'ann "a" é'], spentUsd: '12.10' },
      { values: [SHARED_VALUE], spentUsd: '0.01' },
    ],
  } as ClaudeBudgetStatus;

  test('name each counter as the ledger does, and are exact to the nano-dollar', () => {
    const { counter, end } = budgetPeriodAt(customers, NOW);
    const keepUntil = end + 7 * 24 * 3_600_000;
    expect(counterMinimums(customers, status, NOW)).toEqual([
      { counter, keepUntil, spentNano: 20_412_310_001n, presumedNano: 300_000_000n, requests: 8123 },
      {
        counter: `${counter}#["acme","ann \\"a\\" é"]`,
        keepUntil,
        spentNano: 12_100_000_000n,
        presumedNano: 0n,
        requests: 0,
      },
      { counter: `${counter}#…`, keepUntil, spentNano: 10_000_000n, presumedNano: 0n, requests: 0 },
    ]);
  });

  test('take no figure that no counter holds: whoever edits a status must not stop the rebuild of all', () => {
    const forged = (changes: object) => counterMinimums(customers, { ...status, top: [], ...changes }, NOW)[0];
    for (const spentUsd of ['99999999999999999999', '007', '999999999999', '']) {
      expect(forged({ spentUsd, presumedUsd: spentUsd })).toMatchObject({ spentNano: 0n, presumedNano: 0n });
    }
    for (const requests of [2 ** 63, -1, 1.5]) expect(forged({ requests })).toMatchObject({ requests: 0 });
    const top = [{ values: ['acme', 'ann'], spentUsd: '99999999999999999999' }];
    expect(counterMinimums(customers, { ...status, top }, NOW)[1]).toMatchObject({ spentNano: 0n });
  });

  test('are what calls were settled at, whatever people have corrected since', () => {
    const settled = (correctedUsd: string) =>
      counterMinimums(customers, { ...status, top: [], spentUsd: '2.00', correctedUsd }, NOW)[0]?.spentNano;
    expect(settled('0.50')).toBe(2_500_000_000n);
    expect(settled('-0.50')).toBe(1_500_000_000n);
    // Whoever may patch a status gets nothing by it: no figure is below what nobody has corrected.
    expect(settled('-3')).toBe(0n);
    expect(settled('99999999999999999999')).toBe(2_000_000_000n);
  });

  test('are empty where the status is about another period, or missing', () => {
    expect(counterMinimums(customers, status, NOW + 24 * 3_600_000)).toEqual([]);
    expect(counterMinimums(customers, undefined, NOW)).toEqual([]);
    expect(counterMinimums(customers, { conditions: [] }, NOW)).toEqual([]);
  });
});

test('the counters of values come back for as long as the ledger keeps them, whatever longer periods their calls had', () => {
  const [hour, day] = [3_600_000, 86_400_000];
  const keepUntil = NOW + 40 * day;
  const counted = (counter: string) => ({
    counter,
    keepUntil,
    spentNano: nano(1n),
    presumedNano: nano(0n),
    requests: 1,
  });
  const hours = (ago: number) => `payments/customers/Hour/Europe/Berlin/${NOW - ago * hour}`;
  const pools = [0, 48, 49, 200].map((ago) => hours(ago));
  const once = 'payments/customers/Once/UTC/0';
  const minimums = [...pools, once].flatMap((pool) => [counted(pool), counted(`${pool}#["a/b"]`)]);
  const lasting = lastingMinimums(minimums, NOW);
  expect(lasting.filter(({ counter }) => counter.includes('#'))).toEqual([
    { ...counted(`${hours(0)}#["a/b"]`), keepUntil: NOW + hour + 2 * day },
    { ...counted(`${hours(48)}#["a/b"]`), keepUntil: NOW + hour },
    counted(`${once}#["a/b"]`),
  ]);
  expect(lasting.filter(({ counter }) => !counter.includes('#'))).toEqual([...pools, once].map(counted));
});
