/**
 * The one place that moves money. `RedisLedger` keeps it in Redis, `MemoryLedger` is its twin and the tests' model.
 *
 * Each counter keeps three running sums, so that every question is a comparison and no script ever adds money up:
 *
 *     spent ≤ certain ≤ committed
 *     certain   = spent + presumed                    (what can no longer come back by waiting)
 *     committed = spent + presumed + calls in flight
 *
 * A call of worst case `w` under cap `c` and tolerance `t` is admitted if and only if, for every counter,
 * `spent < c` and `committed ≤ c + t - w`; it may wait where `certain` would fit and is spent otherwise (docs/explanation/reservation.md).
 */

import type { Check, Failure } from '../policy/core/counter-check.ts';
import type { Reading, ReadingQuery } from '../policy/core/counter-reading.ts';
import type { UsageRecord } from '../policy/core/usage-record.ts';
import type { BatchReservation, BatchLines, BatchOwner, LoggedBatch, OpenBatch } from './batches.ts';
import type { RefusalEntry, RefusalRow, StreamEntry } from './streams.ts';

/** A call that asks for its worst case in every counter that governs it. */
export interface Reservation {
  /** The gateway's own call id; never the caller's or the upstream's. */
  readonly id: string;
  /** `namespace/name` of the workspace. */
  readonly workspace: string;
  /** The policy version that planned the call. */
  readonly version: number;
  readonly worstNano: bigint;
  /** What a bound that needs no count_tokens adds to `worstNano`; 0n where that is the bound. Nano-dollars. */
  readonly gapNano: bigint;
  /** The instants between which caps and prices hold, half-open, in milliseconds. */
  readonly from: number;
  readonly until: number;
  readonly checks: readonly Check[];
}

/** What became of a reservation: `admitted`, or why nothing was reserved. */
export type ReserveAnswer =
  /** `committedNano`: of each check's counter (the value's or the pool's), after this reservation. */
  | { readonly kind: 'admitted'; readonly now: number; readonly committedNano: readonly bigint[] }
  | { readonly kind: 'full'; readonly now: number; readonly failures: readonly Failure[] }
  /** The fence is higher than the version that planned: catch up to `version` and plan again. */
  | { readonly kind: 'stale'; readonly version: number }
  /** A period, grant or price has ended or not begun by the ledger's clock: plan again at `now`. */
  | { readonly kind: 'wrongPeriod'; readonly now: number }
  /** The id was already released or settled, or is presumed: never forward it. */
  | { readonly kind: 'ended' }
  /** The incarnation never beat or was swept: begin a new one. */
  | { readonly kind: 'unregistered' }
  /** The ledger may miss what somebody did: ask again until all have told it (docs/explanation/recovery.md). */
  | { readonly kind: 'recovering' }
  /** The usage stream is at its bound: a record might be lost. */
  | { readonly kind: 'logBehind' }
  /** The ledger came back empty, or is another one: that is for the operator. */
  | { readonly kind: 'lost'; readonly reason: LostReason };

/** Whether an answer says nothing of a reservation that an earlier try of the same call may have made. */
export function isInconclusive({ kind }: ReserveAnswer): boolean {
  return kind === 'ended' || kind === 'lost' || kind === 'recovering' || kind === 'unregistered';
}

/** What a client finds wrong with a ledger that came back: nothing in it, or another's. */
export type LostReason = 'empty' | 'otherEpoch';

/** What a call cost in the end. */
export interface Settlement {
  readonly id: string;
  /** What is booked now. Nano-dollars. */
  readonly costNano: bigint;
  /** What of the reservation stays presumed, because the upstream may still bill it. Nano-dollars. */
  readonly presumedNano: bigint;
  /** The usage record, appended to the stream in the same script. */
  readonly record: UsageRecord;
}

/**
 * `settled`: booked in place of the reservation. `corrected`: booked in place of what was presumed.
 * `ended`: was already settled or released; nothing changed. `unknown`: the ledger knows no such reservation.
 */
export type SettleAnswer = 'settled' | 'corrected' | 'ended' | 'unknown';

/** A call that was sent although the ledger did not answer; `settlement` is null where nobody knows what it cost. */
export interface UncheckedCall {
  readonly reservation: Reservation;
  readonly settlement: Settlement | null;
}

/** A call whose cost nobody knows. */
export interface PresumedCall {
  readonly id: string;
  readonly worstNano: bigint;
  /** Milliseconds, by the ledger's clock. */
  readonly presumedSince: number;
  readonly counters: readonly string[];
}

/** What a counter holds at least, by books outside of the ledger. Nano-dollars. */
export interface CounterMinimum {
  /** The true name: `<counter>`, or `<counter>#<value>`. */
  readonly counter: string;
  /** When the counter may be forgotten, should it not exist. Milliseconds. */
  readonly keepUntil: number;
  readonly spentNano: bigint;
  readonly presumedNano: bigint;
  readonly requests: number;
}

/** What a gateway tells the others at each beat. */
export interface GatewayReport {
  /** The Pod's name (locally: the process's). */
  readonly pod: string;
  /** The revision of each policy shard that it enforces in full. */
  readonly shards: Readonly<Record<string, number>>;
  /** The newest schema of compiled policy that it reads; absent of a gateway that knows of no other than the first. */
  readonly schema?: number;
}

/** Whether an incarnation still lives. */
export type BeatAnswer =
  /** `open`: the ids of this incarnation's reservations. */
  | { readonly kind: 'alive'; readonly now: number; readonly open: readonly string[] }
  /** It was silent for longer than a lease; its reservations are presumed. Begin a new incarnation. */
  | { readonly kind: 'swept' }
  /** This client has told the ledger what it may miss; others have not yet. */
  | { readonly kind: 'recovering' }
  | { readonly kind: 'lost'; readonly reason: LostReason };

/** A gateway that beat within the last lease, or has not been swept since. */
export interface LivingGateway extends GatewayReport {
  readonly incarnation: string;
}

/** How the ledger stands as a whole. */
export interface LedgerState {
  readonly now: number;
  /** Null where no ledger was ever established here. */
  readonly epoch: string | null;
  /** Why it is down for whoever asks, or null. */
  readonly lost: LostReason | null;
  /** How many changes it has seen, of money and of what guards it. One that is lower than before has lost some. */
  readonly sequence: number;
  /** How many usage records the stream holds. */
  readonly streamLength: number;
  /** How many calls hold presumed money. */
  readonly presumedCount: number;
  /** Null where calls are admitted. */
  readonly recovering: Recovering | null;
}

/** A ledger that may miss what somebody did. */
export interface Recovering {
  /** Milliseconds, by the ledger's clock. */
  readonly since: number;
  /** Why the gateways' own memory cannot make it whole, so that it waits for `resume`; else null. */
  readonly deep: string | null;
  /** The incarnations that have not told it yet what they did. */
  readonly missing: readonly string[];
}

/** What the gateway uses. Every method throws `LedgerUnreachable` where Redis does not answer. */
export interface GatewayLedger {
  /** Begins a new incarnation: all later reservations belong to it. The first beat must follow. */
  begin(incarnation: string): void;
  /**
   * All checks or none. One that threw may have been reserved all the same: ask the very same again, or release it. The
   * counters of the checks must differ from each other. Once it is admitted, the client keeps it in mind until it has
   * ended, and for a while after, to tell it again to a ledger that has lost it.
   */
  reserve(reservation: Reservation): Promise<ReserveAnswer>;
  /** Idempotent by id; also finds reservations of this process's earlier incarnations. */
  settle(settlement: Settlement): Promise<SettleAnswer>;
  /** Only for what was never sent or was answered with an error status. Idempotent; leaves a tombstone. */
  release(id: string): Promise<SettleAnswer>;
  /**
   * Books a call that was sent without an answer of the ledger: its reservation is settled where it exists, else its
   * counters are charged whatever their caps. Idempotent by id for a week; works while the ledger recovers.
   */
  settleUnchecked(booking: UncheckedCall): Promise<SettleAnswer>;
  /** Hands a reservation over to a batch: it is the gateway's no more and is never swept. Idempotent. */
  openBatch(adoption: BatchReservation): Promise<SettleAnswer>;
  /** Of each batch, null where it is not known (any more: 30 days). */
  batchOwners(batches: readonly string[]): Promise<readonly (BatchOwner | null)[]>;
  /** Appends the record of a call that cost nothing, for the log alone. May drop it: it is no money. */
  appendFreeUsage(record: UsageRecord): Promise<void>;
  /** May drop rows: a refusal is no money. */
  appendRefusals(rows: readonly RefusalRow[]): Promise<void>;
  beat(report: GatewayReport): Promise<BeatAnswer>;
  /** Turns the leases of silent incarnations into presumed ones; frees no money. Returns how many. */
  sweep(): Promise<number>;
  /**
   * On a graceful stop: takes the incarnation off the list, once nothing of it is open, and waits a while until a replica,
   * if there is any, has what it did.
   */
  leave(): Promise<void>;
  read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]>;
  state(): Promise<LedgerState>;
}

/** What the operator uses. */
export interface OperatorLedger {
  read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]>;
  gateways(): Promise<readonly LivingGateway[]>;
  /** Raises fences; a lower one than stands there changes nothing. */
  raiseFences(fences: ReadonlyMap<string, number>): Promise<void>;
  fences(): Promise<ReadonlyMap<string, number>>;
  /** As of the gateways: nobody else does it where the last of them died. */
  sweep(): Promise<number>;
  state(): Promise<LedgerState>;
  /** Writes the epoch into an empty ledger, or a new one over a lost one that a person confirmed. */
  establish(epoch: string): Promise<void>;
  /** Begins a recovery that ends with `resume`, whatever the ledger holds; one of this epoch under way stays as it is. */
  beginRebuild(epoch: string): Promise<void>;
  /** Raises counters; what is higher stays. */
  raiseCounters(floors: readonly CounterMinimum[]): Promise<void>;
  /**
   * Ends the recovery that began at `since`: the counters are right now. False where the server was started anew or
   * another recovery has begun meanwhile, so that they may not be.
   */
  resume(since: number): Promise<boolean>;
  /** The oldest calls that hold presumed money. */
  presumedCalls(limit: number): Promise<readonly PresumedCall[]>;
  /** Books presumed calls as spent at their worst (a late settle still corrects that), or gives them back. Returns how many. */
  resolvePresumed(ids: readonly string[], how: 'Book' | 'Release'): Promise<number>;
  openBatches(): Promise<readonly OpenBatch[]>;
  /**
   * Books lines of a batch's results if and only if exactly those before them are booked. Returns how many are booked
   * now: another number than expected says where to go on; -1: no such batch is open.
   */
  settleBatchLines(lines: BatchLines): Promise<{ readonly settledLines: number }>;
  /** Gives back what a batch did not need. */
  closeBatch(batch: string): Promise<void>;
  /**
   * Puts batches back into a ledger that lost them, or lines of them; what is further there stays. Their counters must
   * have been raised. Idempotent.
   */
  restoreBatches(batches: readonly LoggedBatch[]): Promise<void>;
  /** The oldest records of the usage stream. */
  readUsage(count: number): Promise<readonly StreamEntry[]>;
  /** Takes records out of the stream, once the log has them. */
  deleteUsage(entries: readonly string[]): Promise<void>;
  /** The oldest rows of the stream of refusals. */
  readRefusals(count: number): Promise<readonly RefusalEntry[]>;
  deleteRefusals(entries: readonly string[]): Promise<void>;
}

/** Redis did not answer in time, or refused the connection. */
export class LedgerUnreachable extends Error {
  override readonly name = 'LedgerUnreachable';
}

/** A lease outlives no call: without a beat for this long its reservations are presumed. */
export const LEASE_MS = 15_000;

/** A recovery lasts at least so long, for those who come back to be heard of. */
export const MIN_RECOVERY_MS = 2_000;

/** So long a recovery waits for those who do not come back. */
export const REPLAY_TIMEOUT_MS = 10_000;

/** How many usage records may wait in the stream before nothing more is admitted, unless the options say otherwise. */
export const DEFAULT_USAGE_LIMIT = 250_000;
