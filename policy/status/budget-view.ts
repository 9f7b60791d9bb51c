import { budgetPeriodAt } from '../core/budget-period.ts';
import { type CompiledBudget, type Disclosure, refOf } from '../core/compiled-policy.ts';
import type { Reading } from '../core/counter-reading.ts';
import { disclosedFigures } from '../core/disclosure.ts';
import { formatCents, formatUsd, max, subtract, ZERO } from '../core/money.ts';
import { END_OF_TIME, rfc3339 } from '../core/period.ts';
import { budgetFigures, type FiguresOptions, fullestCounter } from './budget-figures.ts';

/** What a caller sees of one budget in `GET /tollgate/v1/budgets`. */
export interface BudgetView {
  readonly budget: string;
  /** Null if it does not reset. */
  readonly resetAt: string | null;
  readonly [field: string]: unknown;
}

/**
 * Of a workspace's own budget all figures. Of a spanning one only what `disclosure` shows, and of that the fullest counter
 * alone: the sum over all values of `per` is what other tenants spend. `reading` holds only values that the caller may see;
 * null if it may see no figure.
 */
export function budgetView(
  budget: CompiledBudget,
  disclosure: Disclosure,
  reading: Reading | null,
  now: number,
  options: FiguresOptions = {},
): BudgetView {
  const { end, mode } = budgetPeriodAt(budget, now, options.periods);
  const view = { budget: refOf(budget), resetAt: end === END_OF_TIME ? null : rfc3339(end) };
  if (reading === null || disclosure === 'Name') return view;
  if (budget.spanning === undefined) {
    return { ...view, mode, per: budget.per, ...budgetFigures(budget, reading, now, options) };
  }
  const { counter, capNano } = fullestCounter(budget, reading, now, options.periods);
  const { spentNano, committedNano } = counter;
  const { percentUsed, amounts } = disclosedFigures(disclosure, { limitNano: capNano, spentNano })!;
  if (amounts === null) return { ...view, percentUsed };
  const leftNano = max(subtract(capNano, committedNano), ZERO);
  return {
    ...view,
    percentUsed,
    limitUsd: formatUsd(amounts.limitNano),
    spentUsd: formatUsd(amounts.spentNano),
    remainingUsd: formatCents(leftNano),
  };
}
