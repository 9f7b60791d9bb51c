import type { Check, Failure } from '../policy/core/counter-check.ts';
import type { Nano } from '../policy/core/money.ts';
import type { UsageRecord } from '../policy/core/usage-record.ts';
import type { LostReason } from './ledger.ts';

/** A call that asks for its worst case in every counter that applies to it. */
export interface Reservation {
  /** The gateway's own call id; never the caller's or the upstream's. */
  readonly id: string;
  /** `namespace/name` of the workspace. */
  readonly workspace: string;
  /** The policy version that planned the call. */
  readonly version: number;
  readonly worstNano: Nano;
  /** The worst case by the prompt's bytes, minus `worstNano`: 0n unless count_tokens lowered it. Nano-dollars. */
  readonly gapNano: Nano;
  /** The instants between which caps and prices hold, half-open. Milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
  readonly checks: readonly Check[];
}

/** `admitted`, or why nothing was reserved. `now` is the ledger's clock in milliseconds. */
export type ReserveAnswer =
  /** `committedNano`: of each check's counter (the value's or the pool's), with this reservation. */
  | { readonly kind: 'admitted'; readonly now: number; readonly committedNano: readonly Nano[] }
  | { readonly kind: 'full'; readonly now: number; readonly failures: readonly Failure[] }
  /** The fence is higher than the version that planned the call: catch up to `version` and plan again. */
  | { readonly kind: 'stale'; readonly version: number }
  /** By the ledger's clock a period, grant or price has ended or not begun: plan again at `now`. */
  | { readonly kind: 'wrongPeriod'; readonly now: number }
  /** The id was released or settled, or is presumed: never forward the call. */
  | { readonly kind: 'ended' }
  /** The incarnation has sent no heartbeat yet or was swept: begin a new one. */
  | { readonly kind: 'unregistered' }
  /** The ledger may have lost changes: ask again until all sessions have replayed theirs (docs/explanation/recovery.md). */
  | { readonly kind: 'recovering' }
  /** The usage stream is at its limit: a record might be lost. */
  | { readonly kind: 'logBehind' }
  /** The ledger is empty or another one: only the operator can mend that. */
  | { readonly kind: 'lost'; readonly reason: LostReason };

/** Whether an earlier attempt of the same call may hold a reservation in spite of this answer. */
export function isInconclusive({ kind }: ReserveAnswer): boolean {
  return kind === 'ended' || kind === 'lost' || kind === 'recovering' || kind === 'unregistered';
}

/** What a call cost in the end. */
export interface Settlement {
  readonly id: string;
  /** What is spent now. Nano-dollars. */
  readonly costNano: Nano;
  /** What stays presumed of the reservation, because the upstream may still bill it. Nano-dollars. */
  readonly presumedNano: Nano;
  /** What stays presumed is released after RELEASE_AFTER_MS if nothing else has resolved it. Absent: it is not. */
  readonly releases?: boolean;
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
