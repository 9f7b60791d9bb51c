/** The counters of a budget with the cap of each: what its percentage, its state and the condition Exhausted compare. */

import type { BudgetPeriod } from '../core/budget-period.ts';
import { type CompiledBudget, overridesOf } from '../core/compiled-policy.ts';
import type { Counter, Reading } from '../core/counter-reading.ts';
import { add, type Nano, ZERO } from '../core/money.ts';

export interface CappedCounter {
  /** Null for the counter of all calls. */
  readonly value: string | null;
  readonly counter: Counter;
  readonly capNano: Nano;
}

export function cappedCounters(
  budget: CompiledBudget,
  reading: Reading,
  { grantedNano }: BudgetPeriod,
  { withBlocked = false } = {},
): readonly CappedCounter[] {
  const capOf = (limitNano: Nano): Nano => add(limitNano, grantedNano);
  if (budget.per.length === 0) return [{ value: null, counter: reading.total, capNano: capOf(budget.limitNano) }];
  const overrides = overridesOf(budget);
  const values = reading.values
    .map((counter) => {
      return { value: counter.value, counter, capNano: capOf(overrides.get(counter.value) ?? budget.limitNano) };
    })
    // A value with a limit of 0 is blocked on purpose, which does not make the budget exhausted.
    .filter(({ capNano }) => withBlocked || capNano > 0n);
  if (budget.totalNano !== undefined) {
    return [{ value: null, counter: reading.total, capNano: capOf(budget.totalNano) }, ...values];
  }
  return values.length > 0 ? values : [{ value: '[]', counter: EMPTY, capNano: capOf(budget.limitNano) }];
}

/** Represents every value before the first one is counted. */
export const EMPTY: Counter = {
  spentNano: ZERO,
  correctedNano: ZERO,
  certainNano: ZERO,
  committedNano: ZERO,
  requests: 0,
  refused: 0,
  wouldRefuse: 0,
  exhaustedAtNano: null,
  tooLargeNano: null,
};

export function fullestOf(limits: readonly CappedCounter[]): CappedCounter {
  return limits.reduce((fullest, next) => (isFuller(next, fullest) ? next : fullest));
}

/** Compares shares of the caps, without division. */
function isFuller(a: CappedCounter, b: CappedCounter): boolean {
  return a.counter.spentNano * b.capNano > b.counter.spentNano * a.capNano;
}
