import { expect, test } from '@jest/globals';
import type { Reading } from '../../../../policy/core/counter-reading.ts';
import { nano } from '../../../../policy/core/money.ts';
import { budgetView } from '../../../../policy/status/budget-view.ts';
import { budgetOf } from '../../../support/budget.ts';
import { NOW } from '../compile/stored.ts';

const counter = (usd: bigint) => ({
  spentNano: nano(usd * 1_000_000_000n),
  correctedNano: nano(0n),
  certainNano: nano(usd * 1_000_000_000n),
  committedNano: nano(usd * 1_000_000_000n + 1n),
  requests: 7,
  refused: 3,
  wouldRefuse: 0,
  exhaustedAtNano: null,
  tooLargeNano: null,
});
/** $80 of all namespaces, of which the caller's spent $10. */
const reading: Reading = {
  total: counter(80n),
  values: [{ value: '["payments"]', ...counter(10n) }],
  valueCount: 9,
  exhaustedCount: 4,
};
const budget = budgetOf({
  namespace: 'tollgate-system',
  name: 'each',
  per: ['namespace'],
  spanning: { selector: {}, disclosure: 'Name' },
});
const NAME = { budget: 'tollgate-system/each', resetAt: '2026-11-24T05:00:00Z' };

test('of a spanning budget a caller sees what it discloses, and nothing of other values', () => {
  expect(budgetView(budget, 'Name', reading, NOW)).toEqual(NAME);
  expect(budgetView(budget, 'Percent', null, NOW)).toEqual(NAME);
  expect(budgetView(budget, 'Percent', reading, NOW)).toEqual({ ...NAME, percentUsed: 40 });
  expect(budgetView(budget, 'Amounts', reading, NOW)).toEqual({
    ...NAME,
    percentUsed: 40,
    limitUsd: '25.00',
    spentUsd: '10.00',
    remainingUsd: '14.99',
  });
});

test('a caller whose value is blocked by a limit of 0 sees that limit, and not the one of others', () => {
  const blocked = { ...budget, overrides: [{ values: ['payments'], limitNano: nano(0n) }] };
  expect(budgetView(blocked, 'Amounts', reading, NOW)).toEqual({
    ...NAME,
    percentUsed: 100,
    limitUsd: '0.00',
    spentUsd: '10.00',
    remainingUsd: '0.00',
  });
});

test('of its own budget a caller sees all', () => {
  expect(budgetView(budgetOf(), 'Amounts', { ...reading, values: [] }, NOW)).toMatchObject({
    budget: 'payments/checkout-daily',
    mode: 'Enforce',
    spentUsd: '80.00',
    requests: 7,
    refused: 3,
  });
});
