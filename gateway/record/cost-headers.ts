import { formatCents, formatUsd } from '../../policy/core/money.ts';
import type { AdmittedCall } from '../http/call.ts';
import type { RawHeaders } from '../http/headers.ts';
import type { CallCost } from './call-cost.ts';

/**
 * What a call cost, if that is known already, and what remains in the fullest of the workspace's own budgets. Spanning
 * budgets are left out, because a tenant must not learn their figures here.
 */
export function costHeaders(call: AdmittedCall, cost: CallCost | null): RawHeaders {
  const headers: RawHeaders = [];
  if (cost !== null) headers.push('x-tollgate-cost-usd', formatUsd(cost.costNano));
  const remaining = remainingNano(call, cost);
  if (remaining !== null) headers.push('x-tollgate-budget-remaining-usd', formatCents(remaining));
  return headers;
}

/** Nano-dollars; null if no budget of the workspace's own limits the call, or the ledger did not report its counters. */
function remainingNano({ caller, plan, committedNano }: AdmittedCall, cost: CallCost | null): bigint | null {
  if (committedNano === null) return null;
  const own = `${caller.workspace.namespace}/`;
  const returned = cost === null ? 0n : plan.reservedNano - cost.costNano - cost.presumedNano;
  let least: bigint | null = null;
  for (const [index, check] of plan.checks.entries()) {
    if (check.mode !== 'Enforce' || !check.budget.startsWith(own)) continue;
    const left = check.bound.capNano - committedNano[index]! + returned;
    if (least === null || left < least) least = left;
  }
  return least !== null && least < 0n ? 0n : least;
}
