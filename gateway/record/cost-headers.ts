import { formatCents, formatUsd } from '../../policy/core/money.ts';
import type { Admitted } from '../admission/admission.ts';
import type { RawHeaders } from '../http/headers.ts';
import type { CallCost } from './settlement.ts';

/**
 * What a call cost, where that is known by now, and what it leaves in the fullest of the workspace's own budgets; of a
 * budget that spans others a tenant learns nothing here.
 */
export function costHeaders(admitted: Admitted, booking: CallCost | null): RawHeaders {
  const headers: RawHeaders = [];
  if (booking !== null) headers.push('x-tollgate-cost-usd', formatUsd(booking.costNano));
  const remaining = remainingNano(admitted, booking);
  if (remaining !== null) headers.push('x-tollgate-budget-remaining-usd', formatCents(remaining));
  return headers;
}

/** Nano-dollars, null where no budget of the workspace's own limits the call, or the ledger did not say what it holds. */
function remainingNano({ call, admission, committedNano }: Admitted, booking: CallCost | null): bigint | null {
  if (committedNano === null) return null;
  const own = `${call.caller.workspace.namespace}/`;
  const givenBack = booking === null ? 0n : admission.worstNano - booking.costNano - booking.presumedNano;
  let least: bigint | null = null;
  for (const [index, check] of admission.checks.entries()) {
    if (check.mode !== 'Enforce' || !check.budget.startsWith(own)) continue;
    const left = check.bound.capNano - committedNano[index]! + givenBack;
    if (least === null || left < least) least = left;
  }
  return least !== null && least < 0n ? 0n : least;
}
