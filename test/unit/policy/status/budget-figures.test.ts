import { describe, expect, test } from '@jest/globals';
import type { CompiledBudget } from '../../../../policy/core/compiled-policy.ts';
import type { Counter, ValueCounter } from '../../../../policy/core/counter-reading.ts';
import { nano } from '../../../../policy/core/money.ts';
import { budgetFigures, budgetFiguresQuery } from '../../../../policy/status/budget-figures.ts';
import { budgetOf } from '../../../support/budget.ts';
import { counterOf, readingOf, valueOf } from '../../../support/readings.ts';
import { NOW } from '../compile/stored.ts';

const USD = 1_000_000_000n;

describe('budgetFigures', () => {
  test('shows exact amounts, truncates the remaining amount and rounds the percentage up', () => {
    const counter = counterOf(20_412_310_000n, {
      certainNano: nano(20_512_310_000n),
      committedNano: nano(20_712_310_000n),
      requests: 8_123,
      refused: 3,
      wouldRefuse: 4,
    });
    expect(budgetFigures(budgetOf(), readingOf(counter), NOW)).toEqual({
      state: 'Warning',
      period: { start: '2026-11-23T05:00:00Z', end: '2026-11-24T05:00:00Z' },
      limitUsd: '25.00',
      spentUsd: '20.412310',
      reservedUsd: '0.30',
      presumedUsd: '0.10',
      correctedUsd: '0.00',
      remainingUsd: '4.28',
      percentUsed: 82,
      used: '82%',
      requests: 8_123,
      refused: 3,
      wouldRefuse: 4,
      fullest: { limitUsd: '25.00', spentUsd: '20.412310' },
    });
  });

  test('counts grants in force, and never shows a negative remaining amount', () => {
    const grants = [{ amountNano: nano(10n * USD), from: 0, until: NOW + 1 }];
    expect(budgetFigures(budgetOf({ grants }), readingOf(counterOf(36n * USD)), NOW)).toMatchObject({
      limitUsd: '35.00',
      remainingUsd: '0.00',
      percentUsed: 103,
      state: 'Spent',
    });
    expect(budgetFigures(budgetOf({ grants }), readingOf(counterOf(1n)), NOW + 1)).toMatchObject({
      limitUsd: '25.00',
      percentUsed: 1,
    });
  });

  test('has no end for a period Once', () => {
    const once = budgetOf({ period: { every: 'Once', timeZone: 'UTC', start: NOW - 1_000 } });
    expect(budgetFigures(once, readingOf(counterOf(0n)), NOW).period).toEqual({ start: '2026-11-23T13:59:59Z' });
  });

  test('with per shows the sum spent, the limit of each value, and of the fullest counter all that the columns show', () => {
    const perCustomer = budgetOf({
      per: ['customer'],
      totalNano: nano(400n * USD),
      overrides: [
        { values: ['acme'], limitNano: nano(100n * USD) },
        { values: ['trial'], limitNano: nano(1n * USD) },
      ],
    });
    expect(budgetFiguresQuery(perCustomer, NOW)).toEqual({
      counter: `payments/checkout-daily/Day/America/New_York/${Date.parse('2026-11-23T05:00:00Z')}`,
      per: true,
      top: 10,
      also: ['["acme"]', '["trial"]'],
      sharedValue: '…',
    });
    const values = [valueOf('acme', 50n * USD), valueOf('other', 20n * USD), valueOf('trial', 900_000_000n)];
    const reading = readingOf(counterOf(70_900_000_000n), values, { valueCount: 120 });
    expect(budgetFigures(perCustomer, reading, NOW)).toMatchObject({
      state: 'Warning',
      limitUsd: '25.00',
      spentUsd: '70.90',
      remainingUsd: '0.10',
      percentUsed: 90,
      top: [
        { values: ['acme'], spentUsd: '50.00', limitUsd: '100.00', percentUsed: 50 },
        { values: ['other'], spentUsd: '20.00', limitUsd: '25.00', percentUsed: 80 },
        { values: ['trial'], spentUsd: '0.90', limitUsd: '1.00', percentUsed: 90 },
      ],
      fullest: { values: ['trial'], limitUsd: '1.00', spentUsd: '0.90' },
    });
    const full = readingOf(counterOf(390n * USD), values);
    expect(budgetFigures(perCustomer, full, NOW)).toMatchObject({
      percentUsed: 98,
      remainingUsd: '10.00',
      fullest: { limitUsd: '400.00', spentUsd: '390.00' },
    });
    expect(budgetFigures(budgetOf({ per: ['customer'] }), readingOf(counterOf(0n)), NOW)).toMatchObject({
      percentUsed: 0,
      remainingUsd: '25.00',
      top: [],
      fullest: { limitUsd: '25.00', spentUsd: '0.00' },
    });
  });

  test('shows the ten values with the highest spend, and the shared counter of the rest', () => {
    const values = Array.from({ length: 12 }, (_, i) => valueOf(`c${i}`, BigInt(i) * USD));
    const shared: ValueCounter = { ...counterOf(24n * USD), value: '…' };
    const { top } = budgetFigures(
      budgetOf({ per: ['customer'] }),
      readingOf(counterOf(90n * USD), [...values, shared]),
      NOW,
    );
    expect(top).toHaveLength(10);
    expect(top?.[0]).toMatchObject({ values: ['…'], spentUsd: '24.00', limitUsd: '25.00', percentUsed: 96 });
    expect(top?.at(-1)).toMatchObject({ values: ['c3'], spentUsd: '3.00' });
  });

  test.each<[string, Partial<CompiledBudget>, Counter]>([
    ['OK', {}, counterOf(19_750_000_000n)],
    ['Warning', {}, counterOf(19_750_000_001n)],
    ['Spent', {}, counterOf(20n * USD, { exhaustedAtNano: nano(25n * USD) })],
    ['Observing', { mode: 'Observe' }, counterOf(30n * USD)],
    ['Observing', { mode: 'Observe', observeUntil: NOW + 1 }, counterOf(30n * USD)],
    ['Spent', { mode: 'Observe', observeUntil: NOW }, counterOf(30n * USD)],
    ['Suspended', { suspend: true }, counterOf(25n * USD)],
    ['Suspended', { suspend: true, mode: 'Observe' }, counterOf(0n)],
  ])('%s', (state, changes, counter) => {
    expect(budgetFigures(budgetOf(changes), readingOf(counter), NOW).state).toBe(state);
  });
});
