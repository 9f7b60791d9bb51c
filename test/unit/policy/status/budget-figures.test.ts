import { describe, expect, test } from '@jest/globals';
import type { CompiledBudget } from '../../../../policy/core/compiled-policy.ts';
import type { Counter, Reading, ValueCounter } from '../../../../policy/core/counter-reading.ts';
import { nano, type Nano } from '../../../../policy/core/money.ts';
import { exhausted, budgetFigures, budgetFiguresQuery } from '../../../../policy/status/budget-figures.ts';
import { budgetOf } from '../../../support/budget.ts';
import { NOW } from '../compile/stored.ts';

const USD = 1_000_000_000n;

const counterOf = (spent: bigint, changes: Partial<Counter> = {}): Counter => ({
  spentNano: nano(spent),
  correctedNano: nano(0n),
  certainNano: nano(spent),
  committedNano: nano(spent),
  requests: 0,
  refused: 0,
  wouldRefuse: 0,
  exhaustedAtNano: null,
  tooLargeNano: null,
  ...changes,
});
const readingOf = (total: Counter, values: readonly ValueCounter[] = [], changes: Partial<Reading> = {}): Reading => ({
  total,
  values,
  valueCount: values.length,
  exhaustedCount: values.filter(({ exhaustedAtNano }) => exhaustedAtNano !== null).length,
  ...changes,
});
const valueOf = (name: string, spent: bigint, changes: Partial<Counter> = {}): ValueCounter => ({
  ...counterOf(spent, changes),
  value: JSON.stringify([name]),
});

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

describe('exhausted', () => {
  const reason = (budget: CompiledBudget, reading: Reading): string => exhausted(budget, reading, NOW).reason;

  test.each<[string, bigint, Nano | null, bigint]>([
    ['WithinLimit', 24n * USD, null, 25n * USD],
    ['Spent', 25n * USD, null, 25n * USD],
    ['Spent', 24n * USD, nano(25n * USD), 25n * USD],
    ['Spent', 24n * USD, nano(25n * USD), 24_500_000_000n],
    ['WithinLimit', 24n * USD, nano(25n * USD), 26n * USD],
  ])('%s at %p with a refusal at %p and a limit of %p', (expected, spent, exhaustedAtNano, limitNano) => {
    expect(reason(budgetOf({ limitNano: nano(limitNano) }), readingOf(counterOf(spent, { exhaustedAtNano })))).toBe(
      expected,
    );
  });

  test('names presumed money before a call is refused for it', () => {
    expect(exhausted(budgetOf(), readingOf(counterOf(0n)), NOW).message).toBe('The limit is not reached.');
    const held = readingOf(counterOf(3n * USD, { certainNano: nano(5n * USD) }));
    expect(exhausted(budgetOf(), held, NOW).message).toBe(
      'The limit is not reached. $2.00 is presumed for calls whose cost is not known, and no other call can spend it: see docs/how-to/resolve-presumed.md.',
    );
  });

  test('names the limit and the reset', () => {
    expect(exhausted(budgetOf(), readingOf(counterOf(25n * USD)), NOW).message).toBe(
      'The limit of $25.00 is reached. Resets at 2026-11-24T05:00:00Z.',
    );
  });

  test('says what is left, and what presumed money fills, where the limit is not reached', () => {
    const exhaustedAtNano = nano(25n * USD);
    const refused = readingOf(counterOf(24_998_600_000n, { exhaustedAtNano }));
    expect(exhausted(budgetOf(), refused, NOW).message).toBe(
      'The limit of $25.00 has $0.001400 left, less than its calls cost on average. Resets at 2026-11-24T05:00:00Z.',
    );
    const held = readingOf(counterOf(3n * USD, { certainNano: nano(25n * USD), exhaustedAtNano }));
    expect(exhausted(budgetOf(), held, NOW).message).toBe(
      'The limit of $25.00 has no room: $3.00 is spent, and $22.00 is presumed for calls whose cost is not known. Resolve it as docs/how-to/resolve-presumed.md says. Resets at 2026-11-24T05:00:00Z.',
    );
  });

  const perCustomer = budgetOf({ per: ['customer'], totalNano: nano(400n * USD) });

  test('is true for single values, and names some', () => {
    const values = [valueOf('acme', 25n * USD), valueOf('umbrella', 24n * USD, { exhaustedAtNano: nano(25n * USD) })];
    const reading = readingOf(counterOf(49n * USD), values, { valueCount: 120, exhaustedCount: 4 });
    expect(exhausted(perCustomer, reading, NOW)).toEqual({
      reason: 'ValuesSpent',
      message: '5 of 120 values of spec.per are spent, such as "acme", "umbrella". Resets at 2026-11-24T05:00:00Z.',
    });
    expect(budgetFigures(perCustomer, reading, NOW).state).toBe('Restricted');
  });

  test('says of callers without a total that they share one limit, and why', () => {
    const { totalNano: _, ...budget } = perCustomer;
    const why =
      'Calls share one limit whatever customer they name, because the budget is not accepted: it lacks spec.limit.totalUsd. Resets at 2026-11-24T05:00:00Z.';
    const message = (...values: ValueCounter[]): string =>
      exhausted(budget, readingOf(counterOf(25n * USD), values), NOW, { isUnpooled: true }).message;
    expect(message(valueOf('', 25n * USD))).toBe(`The limit of $25.00 is reached. ${why}`);
    expect(message(valueOf('', 25n * USD), valueOf('acme', 0n))).toBe(
      `1 of 2 values of spec.per are spent, such as any customer. ${why}`,
    );
    // A key fixes that one, and no caller has named another yet.
    expect(message(valueOf('acme', 25n * USD))).toBe(`1 of 1 values of spec.per are spent, such as "acme". ${why}`);
  });

  test('names calls without a value', () => {
    const reading = readingOf(counterOf(25n * USD), [valueOf('', 25n * USD), valueOf('acme', 0n)]);
    expect(exhausted(perCustomer, reading, NOW).message).toBe(
      '1 of 2 values of spec.per are spent, such as no customer. Resets at 2026-11-24T05:00:00Z.',
    );
  });

  test('ignores a value that is blocked by an override of 0', () => {
    const shutOut = { ...perCustomer, overrides: [{ values: ['blocked'], limitNano: nano(0n) }] };
    const values = [valueOf('acme', 1n * USD), valueOf('blocked', 0n, { exhaustedAtNano: nano(0n) })];
    const reading = readingOf(counterOf(1n * USD), values, { valueCount: 2, exhaustedCount: 1 });
    expect(exhausted(shutOut, reading, NOW).reason).toBe('WithinLimit');
    expect(budgetFigures(shutOut, reading, NOW)).toMatchObject({ state: 'OK', used: '4%' });
  });

  test('ignores marks that are older than an increase of the limit', () => {
    const values = [valueOf('acme', 20n * USD, { exhaustedAtNano: nano(25n * USD) })];
    const reading = readingOf(counterOf(20n * USD), values, { valueCount: 120, exhaustedCount: 4 });
    expect(reason({ ...perCustomer, limitNano: nano(30n * USD) }, reading)).toBe('WithinLimit');
    expect(reason(perCustomer, readingOf(counterOf(400n * USD), values))).toBe('Spent');
  });
});
