import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CompiledBudget } from '../../../../policy/core/compiled-policy.ts';
import type { Counter, Reading, ValueCounter } from '../../../../policy/core/counter-reading.ts';
import { nano, type Nano } from '../../../../policy/core/money.ts';
import { budgetFigures } from '../../../../policy/status/budget-figures.ts';
import { exhausted, type LastStatus } from '../../../../policy/status/exhaustion.ts';
import { budgetOf } from '../../../support/budget.ts';
import { counterOf, readingOf, valueOf } from '../../../support/readings.ts';
import { NOW } from '../compile/stored.ts';

const USD = 1_000_000_000n;

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
      'The limit of $25.00 has $0.0014 left, less than its calls cost on average. Resets at 2026-11-24T05:00:00Z.',
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

/** The statuses after each reading, each by the one before. `later` and `at`: the budget and the time of all but the first. */
function statuses(first: CompiledBudget, readings: readonly Reading[], { later = first, at = NOW } = {}) {
  let last: LastStatus | undefined;
  return readings.map((reading, i) => {
    const [budget, now] = i === 0 ? [first, NOW] : [later, at];
    const { reason, message } = exhausted(budget, reading, now, { last });
    const figures = budgetFigures(budget, reading, now, { last });
    const status = reason === 'WithinLimit' ? 'False' : 'True';
    last = { ...figures, conditions: [{ type: 'Exhausted', status, reason, observedGeneration: budget.generation }] };
    return { reason, message, state: figures.state };
  });
}

describe('a budget that was spent', () => {
  const CENT = USD / 100n;
  const mark = { exhaustedAtNano: nano(25n * USD) };
  const refused = readingOf(counterOf(2_493n * CENT, mark));
  const admitted = readingOf(counterOf(2_495n * CENT));
  const reasons = (...args: Parameters<typeof statuses>): string[] => statuses(...args).map(({ reason }) => reason);

  test('stays so while small calls fit into what is left', () => {
    const all = statuses(budgetOf(), [admitted, refused, admitted, admitted, refused, admitted]);
    expect(all.map(({ reason }) => reason)).toEqual(['WithinLimit', ...Array<string>(5).fill('Spent')]);
    expect(all.map(({ state }) => state)).toEqual(['Warning', ...Array<string>(5).fill('Spent')]);
    expect(all[2]!.message).toBe(
      'The limit of $25.00 is all but spent: $0.05 is left, and small calls may still fit. Resets at 2026-11-24T05:00:00Z.',
    );
  });

  test.each<[string, Partial<CompiledBudget>, Reading, number]>([
    ['a new period began', {}, readingOf(counterOf(0n)), NOW + 86_400_000],
    ['the limit was raised', { limitNano: nano(26n * USD) }, admitted, NOW],
    ['a grant came', { grants: [{ amountNano: nano(CENT), from: 0, until: NOW + 1 }] }, admitted, NOW],
    ['spend was corrected', {}, readingOf(counterOf(2_492n * CENT)), NOW],
  ])('is no longer so once %s', (_, changes, reading, at) => {
    expect(reasons(budgetOf(), [refused, reading], { later: budgetOf(changes), at })).toEqual(['Spent', 'WithinLimit']);
  });

  test('is no longer so once presumed money is released, and does not wait for calls in flight', () => {
    const at = (spent: bigint, presumed: bigint, inFlight: bigint, changes: Partial<Counter> = {}): Reading =>
      readingOf(
        counterOf(spent * CENT, {
          certainNano: nano((spent + presumed) * CENT),
          committedNano: nano((spent + presumed + inFlight) * CENT),
          ...changes,
        }),
      );
    const sequence = [at(2_000n, 495n, 3n, mark), at(2_001n, 495n, 1n), at(2_490n, 6n, 0n), at(2_491n, 0n, 0n)];
    expect(reasons(budgetOf(), sequence)).toEqual(['Spent', 'Spent', 'Spent', 'WithinLimit']);
  });

  test('is judged afresh by a status whose amounts somebody overwrote', () => {
    const conditions = [{ type: 'Exhausted', status: 'True', reason: 'Spent' }];
    const { period } = budgetFigures(budgetOf(), refused, NOW);
    const last = { conditions, period, limitUsd: 'none', spentUsd: '-1', presumedUsd: '' };
    expect(exhausted(budgetOf(), admitted, NOW, { last }).reason).toBe('WithinLimit');
    expect(exhausted(budgetOf(), refused, NOW, { last }).reason).toBe('Spent');
  });

  test('stays so when its limit is lowered', () => {
    const lowered = budgetOf({ limitNano: nano(2_497n * CENT), generation: 9 });
    expect(reasons(budgetOf(), [refused, admitted], { later: lowered })).toEqual(['Spent', 'Spent']);
  });

  test('with per stays so for its values until spend is corrected or the budget is edited', () => {
    const budget = budgetOf({ per: ['customer'], generation: 1 });
    const values = (spent: bigint, changes: Partial<Counter> = {}): Reading =>
      readingOf(counterOf(30n * USD + spent), [valueOf('acme', spent, changes)]);
    const [spent, small] = [values(2_493n * CENT, mark), values(2_494n * CENT)];
    const kept = statuses(budget, [spent, small, small]);
    expect(kept.map(({ reason, state }) => [reason, state])).toEqual(
      Array.from({ length: 3 }, () => ['ValuesSpent', 'Restricted']),
    );
    expect(kept[1]!.message).toBe(
      'Values of spec.per are all but spent: small calls may still fit. Resets at 2026-11-24T05:00:00Z.',
    );
    expect(reasons(budget, [spent, values(2_400n * CENT)])).toEqual(['ValuesSpent', 'WithinLimit']);
    expect(reasons(budget, [spent, small], { later: { ...budget, generation: 2 } })).toEqual([
      'ValuesSpent',
      'WithinLimit',
    ]);
  });

  test('recovers only when money came, whatever calls are refused and admitted', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ cost: fc.integer({ min: -2, max: 9 }), isRefused: fc.boolean() }), { minLength: 2 }),
        (steps) => {
          let spent = 2_400n;
          const readings = steps.map(({ cost, isRefused }) => {
            spent += BigInt(cost);
            return readingOf(counterOf(spent * CENT, isRefused ? mark : {}));
          });
          const found = reasons(budgetOf(), readings);
          const recoveries = steps.filter((_, i) => found[i - 1] === 'Spent' && found[i] !== 'Spent');
          expect(recoveries.filter(({ cost }) => cost >= 0)).toEqual([]);
        },
      ),
    );
  });
});
