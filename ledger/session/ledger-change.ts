import { checkAmount, checkSettlement } from '../amount-checks.ts';
import type { BatchReservation } from '../message-batches.ts';
import type { Reservation, Settlement, UncheckedCall } from '../reservation.ts';

/** A change that ends a call for its gateway. */
export type CallEnd =
  | { readonly kind: 'settle'; readonly settlement: Settlement }
  | { readonly kind: 'release'; readonly id: string }
  | { readonly kind: 'openBatch'; readonly batch: BatchReservation }
  | { readonly kind: 'settleUnchecked'; readonly call: UncheckedCall };

/** A change of a call that a session makes, or replays. `restore`: reserves again what the ledger has lost. */
export type LedgerChange = CallEnd | { readonly kind: 'restore'; readonly reservation: Reservation };

/** @throws RangeError where an amount is negative, or more than a counter can hold. */
export function checkAmounts(end: CallEnd): void {
  if (end.kind === 'settle') checkSettlement(end.settlement);
  if (end.kind !== 'settleUnchecked') return;
  checkAmount(end.call.reservation.worstNano);
  if (end.call.settlement !== null) checkSettlement(end.call.settlement);
}
