import type { Nano } from '../policy/core/money.ts';
import type { UsageRecord } from '../policy/core/usage-record.ts';
import type { Reservation } from './reservation.ts';

/** What a call cost in the end. */
export interface Settlement {
  readonly id: string;
  /** What is spent now. Nano-dollars. */
  readonly costNano: Nano;
  /** What stays presumed of the reservation, because the upstream may still bill it. Nano-dollars. */
  readonly presumedNano: Nano;
  /** The usage record, appended to the stream in the same script. */
  readonly record: UsageRecord;
}

/**
 * `settled`: the change replaced the reservation. `corrected`: it replaced presumed money.
 * `ended`: the call was already settled or released; nothing changed. `unknown`: the ledger has no such reservation.
 */
export type SettleAnswer = 'settled' | 'corrected' | 'ended' | 'unknown';

/** A call that was sent while the ledger did not answer. `settlement` is null where its cost is not known. */
export interface UncheckedCall {
  readonly reservation: Reservation;
  readonly settlement: Settlement | null;
}
