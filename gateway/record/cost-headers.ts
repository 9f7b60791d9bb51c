import { add, formatCents, formatUsd, max, min, type Nano, subtract, ZERO } from '../../policy/core/money.ts';
import type { AdmittedCall } from '../http/call.ts';
import type { RawHeaders } from '../http/headers.ts';
import type { CallCost } from './call-cost.ts';

/** What a call cost, if known, and what remains in the fullest budget of those whose amounts its caller may see. */
export function costHeaders(call: AdmittedCall, cost: CallCost | null): RawHeaders {
  const headers: RawHeaders = [];
  if (cost !== null) headers.push('x-tollgate-cost-usd', formatUsd(cost.costNano));
  const remaining = remainingNano(call, cost);
  if (remaining !== null) headers.push('x-tollgate-budget-remaining-usd', formatCents(remaining));
  return headers;
}

/**
 * Nano-dollars; null if no budget whose amounts the caller may see limits the call, or the ledger did not report its
 * counters. Others are left out and not only unnamed: the least of several figures tells where one of them is.
 */
function remainingNano({ caller, plan, committedNano }: AdmittedCall, cost: CallCost | null): Nano | null {
  if (committedNano === null) return null;
  const returned = cost === null ? ZERO : subtract(plan.reservedNano, add(cost.costNano, cost.presumedNano));
  let least: Nano | null = null;
  for (const [index, check] of plan.checks.entries()) {
    if (check.mode !== 'Enforce' || caller.budgets.get(check.budget)?.disclosure !== 'Amounts') continue;
    const left = add(subtract(check.bound.capNano, committedNano[index]!), returned);
    least = least === null ? left : min(least, left);
  }
  return least === null ? null : max(least, ZERO);
}
