/** What the ledger knows of Message Batches. */

import type { Ref } from '../policy/core/compiled-policy.ts';
import type { UsageRecord } from '../policy/core/usage-record.ts';

/** A Message Batch that takes over the reservation `id`. */
export interface BatchReservation {
  readonly id: string;
  /** The upstream's id of the batch. */
  readonly batch: string;
  readonly workspace: Ref;
  /** What the poller needs to know of it: JSON. */
  readonly meta: string;
}

/** Whose a batch is, and whether all of it is booked. */
export interface BatchOwner {
  readonly workspace: Ref;
  readonly settled: boolean;
}

/** A batch that is not settled yet. */
export interface OpenBatch extends BatchReservation {
  /** How many lines of its results are booked. */
  readonly settledLines: number;
  /** What of its worst case is still held. Nano-dollars. */
  readonly reservedNano: bigint;
}

/** A batch as books outside of the ledger know it. What is held of it is 0n where it is settled. */
export interface LoggedBatch extends OpenBatch, BatchOwner {
  /** The true names of the counters in which it is booked. */
  readonly counters: readonly string[];
  /** When those counters may be forgotten. Milliseconds. */
  readonly keepUntil: number;
}

/** The lines `from`, `from + 1`, … of a batch's results. */
export interface BatchLines {
  readonly batch: string;
  readonly from: number;
  readonly lines: readonly { readonly costNano: bigint; readonly record: UsageRecord }[];
}

/** How long it is known whose a batch is: as long as its results can be fetched, and a day. */
export const BATCH_OWNER_TTL_MS = 30 * 24 * 60 * 60 * 1000;
