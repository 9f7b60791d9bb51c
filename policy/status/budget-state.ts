import type { BudgetOutcome } from '../compile/compile-output.ts';
import type { BudgetMode, CompiledBudget } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';

/**
 * For display only. Invalid: the newest generation is not accepted. Suspended: every call is refused by `spec.suspend`.
 * Unknown: the ledger says nothing. Restricted: some values of `per` are spent.
 */
export type BudgetState = 'OK' | 'Warning' | 'Restricted' | 'Spent' | 'Observing' | 'Suspended' | 'Invalid' | 'Unknown';

const WARNING_PERCENT = 80;

/** The state of a budget in force whose figures are known; `percent` is used of its fullest counter. */
export function stateInForce(
  { suspend }: CompiledBudget,
  mode: BudgetMode,
  { reason }: Finding<'Exhausted'>,
  percent: number,
): BudgetState {
  if (suspend) return 'Suspended';
  if (mode === 'Observe') return 'Observing';
  if (reason === 'Spent') return 'Spent';
  if (reason === 'ValuesSpent') return 'Restricted';
  return percent >= WARNING_PERCENT ? 'Warning' : 'OK';
}

/**
 * The state that a status shows: first what a person must mend in the budget, then what the ledger says. `counted` is null
 * while the ledger says nothing. Undefined where nothing is in force, though the budget is valid.
 */
export function stateToShow(
  { accepted, inForce }: Pick<BudgetOutcome, 'accepted' | 'inForce'>,
  counted: BudgetState | null,
): BudgetState | undefined {
  if (accepted.reason !== 'Accepted') return 'Invalid';
  if (inForce === null) return undefined;
  return inForce.suspend ? 'Suspended' : (counted ?? 'Unknown');
}
