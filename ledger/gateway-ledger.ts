/**
 * The gateway's side of a ledger. The ledger is the one place that moves money; ledger/redis keeps it in Redis,
 * ledger/memory in this process.
 *
 * Each counter keeps three running sums, so that every question is a comparison and no script adds money up:
 *
 *     spent ≤ certain ≤ committed
 *     certain   = spent + presumed                    (what waiting cannot bring back)
 *     committed = spent + presumed + calls in flight
 *
 * A call of worst case `w` under cap `c` and tolerance `t` is admitted if and only if, for every counter,
 * `spent < c` and `committed ≤ c + t - w`; it may wait where `certain` would fit, and is refused as spent otherwise
 * (docs/explanation/reservation.md).
 */

import type { Ref } from '../policy/core/compiled-policy.ts';
import type { UsageRecord } from '../policy/core/usage-record.ts';
import type { LostReason, SharedOperations } from './ledger.ts';
import type { BatchOwner, BatchReservation } from './message-batches.ts';
import type { Reservation, ReserveAnswer, SettleAnswer, Settlement, UncheckedCall } from './reservation.ts';
import type { FileOwner } from './stored-files.ts';
import type { RefusalRow, UnaskedRefusals } from './streams.ts';

/** A workspace whose upstream key the upstream refused when it was shown last, and the status that it answered. */
export interface RefusedKey {
  readonly workspace: Ref;
  readonly status: number;
}

/** What a gateway reports with each heartbeat. */
export interface GatewayReport {
  /** The Pod's name (locally: the process's). */
  readonly pod: string;
  /** The revision of each policy shard that it enforces in full. */
  readonly shards: Readonly<Record<string, number>>;
  /** The newest schema of compiled policy that it reads; absent in the report of a gateway that reads only the first. */
  readonly schema?: number;
  /** At most 100; absent: none. */
  readonly refusedKeys?: readonly RefusedKey[];
}

/** Whether the ledger still counts the incarnation as living. */
export type BeatAnswer =
  /** `open`: the ids of this incarnation's reservations. */
  | { readonly kind: 'alive'; readonly now: number; readonly open: readonly string[] }
  /** It was silent for longer than a lease; its reservations are presumed. Begin a new incarnation. */
  | { readonly kind: 'swept' }
  /** This session has replayed its changes; others have not yet. */
  | { readonly kind: 'recovering' }
  | { readonly kind: 'lost'; readonly reason: LostReason };

/** What a gateway does without a session: none of it changes a call. */
export interface SessionlessOperations extends SharedOperations {
  /** Null for a batch that is not known; a batch is known for 30 days. */
  batchOwners(batches: readonly string[]): Promise<readonly (BatchOwner | null)[]>;
  /** Which of the files in the upstream's store belong to the owner. */
  ownsFiles(owner: FileOwner, files: readonly string[]): Promise<readonly boolean[]>;
  /** How many files the owner has. */
  countFiles(owner: FileOwner): Promise<number>;
  /** Up to `limit` of the owner's files, newest first: those after one of them, or from the newest. */
  listFiles(owner: FileOwner, after: string | null, limit: number): Promise<readonly string[]>;
  /** Makes the owner's what it has uploaded at `at`, in milliseconds since the epoch. */
  addFile(owner: FileOwner, file: string, at: number): Promise<void>;
  removeFile(owner: FileOwner, file: string): Promise<void>;
  /**
   * Appends the record of calls that cost nothing. False, and nothing appended, if the usage stream holds more than `share`
   * of what it may. The ledger may lose it, since it is no money.
   */
  appendFreeUsage(record: UsageRecord, share: number): Promise<boolean>;
  /** Appends rows, and counts the refusals in their counters. The ledger may lose both, since a refusal is no money. */
  recordRefusals(rows: readonly RefusalRow[], unasked: readonly UnaskedRefusals[]): Promise<void>;
}

/** The gateway's side of a ledger. Every method throws `LedgerUnreachable` where the ledger does not answer. */
export interface GatewayLedger extends SessionlessOperations {
  /** Begins a new incarnation: all later reservations belong to it. Its first heartbeat must follow. */
  begin(incarnation: string): void;
  /**
   * Reserves in all counters or in none. A call that threw may be reserved all the same: ask the very same again, or
   * release it. The counters of the checks must differ from each other. The session remembers an admitted call until it
   * has ended and for a while after, to replay it to a ledger that has lost it.
   * @throws RangeError for an amount that a counter cannot hold.
   */
  reserve(reservation: Reservation): Promise<ReserveAnswer>;
  /** Idempotent by id; also finds reservations of this process's earlier incarnations. */
  settle(settlement: Settlement): Promise<SettleAnswer>;
  /** Only for a call that was never sent or was answered with an error status. Idempotent; leaves a tombstone. */
  release(id: string): Promise<SettleAnswer>;
  /**
   * Settles a call that was sent without an answer of the ledger: replaces its reservation where there is one, else adds
   * the call to its counters whatever their caps. Idempotent by id for a week; works during a recovery.
   */
  settleUnchecked(call: UncheckedCall): Promise<SettleAnswer>;
  /** Turns a reservation into an open Message Batch: it no longer belongs to the gateway and is never swept. Idempotent. */
  openBatch(batch: BatchReservation): Promise<SettleAnswer>;
  beat(report: GatewayReport): Promise<BeatAnswer>;
  /** Unregisters an incarnation without open reservations; waits up to 3 s until a replica, if any, has its changes. */
  leave(): Promise<void>;
}
