import type { Nano } from '../policy/core/money.ts';
import type { GatewayLedger, GatewayReport } from './gateway-ledger.ts';
import type { SharedOperations } from './ledger.ts';
import type { BatchLines, LoggedBatch, OpenBatch } from './message-batches.ts';
import type { RefusalEntry, StreamEntry } from './streams.ts';

/** A call whose cost is not known. */
export interface PresumedCall {
  readonly id: string;
  readonly worstNano: Nano;
  /** Milliseconds, by the ledger's clock. */
  readonly presumedSince: number;
  readonly counters: readonly string[];
}

/** Presumed calls that were released by themselves, and what they held. Nano-dollars. */
export interface ReleasedCalls {
  readonly calls: number;
  readonly releasedNano: Nano;
}

/** What people have corrected in a counter. */
export interface CounterCorrection {
  /** The counter's full name: `<counter>`, or `<counter>#<value>`. */
  readonly counter: string;
  /** How much less its calls cost than they were settled at, in all; negative: how much more. Nano-dollars. */
  readonly correctedNano: Nano;
}

/** What a counter holds at least, by the usage log or a status. Nano-dollars. */
export interface CounterMinimum {
  /** The counter's full name: `<counter>`, or `<counter>#<value>`. */
  readonly counter: string;
  /** When the counter expires if the ledger does not have it yet. Milliseconds since the epoch. */
  readonly keepUntil: number;
  /** What its calls were settled at, whatever people have corrected since. */
  readonly spentNano: Nano;
  /** What people have corrected of that, as in `CounterCorrection`; absent: not known, so what the ledger has stays. */
  readonly correctedNano?: Nano;
  readonly presumedNano: Nano;
  readonly requests: number;
}

/** An incarnation that has not been swept and has not left. */
export interface LivingGateway extends GatewayReport {
  readonly incarnation: string;
}

/** The operator's side of a ledger. Every method throws `LedgerUnreachable` where the ledger does not answer. */
export interface OperatorLedger extends SharedOperations {
  gateways(): Promise<readonly LivingGateway[]>;
  /** Raises the fence of each workspace; a fence that is higher already stays. */
  raiseFences(fences: ReadonlyMap<string, number>): Promise<void>;
  /**
   * Forgets the fences of workspaces that are gone. From then on the highest of them, and of the versions given here, is the
   * fence of every workspace that has none of its own: a gateway that comes back with an old policy is refused for ever.
   */
  forgetFences(gone: ReadonlyMap<string, number>): Promise<void>;
  fences(): Promise<ReadonlyMap<string, number>>;
  /** Writes the epoch into an empty ledger, or a new one over a lost ledger that a person confirmed. */
  establish(epoch: string): Promise<void>;
  /** Begins a recovery that ends with `resume`, whatever the ledger holds. A deep recovery of this epoch goes on. */
  beginRebuild(epoch: string): Promise<void>;
  /** Raises counters; higher figures stay, but for what people have corrected in them. */
  raiseCounters(minimums: readonly CounterMinimum[]): Promise<void>;
  /**
   * Brings counters to what people have corrected in them, as far as so much was settled; one that is not kept stays away.
   * Idempotent. Returns how many counters changed. @throws RangeError for an amount that a counter cannot hold.
   */
  correctCounters(corrections: readonly CounterCorrection[]): Promise<number>;
  /** Ends the recovery that began at `since`; false where the server restarted or another recovery began meanwhile. */
  resume(since: number): Promise<boolean>;
  /** The oldest calls that hold presumed money. */
  presumedCalls(limit: number): Promise<readonly PresumedCall[]>;
  /** Books presumed calls as spent at their worst case (a late settle still corrects that), or releases them. Returns how many. */
  resolvePresumed(ids: readonly string[], how: 'Book' | 'Release'): Promise<number>;
  /** Ends calls that were resolved without their cost: a late settle changes nothing any more. Returns how many there were. */
  endBooked(ids: readonly string[]): Promise<number>;
  /** Releases the presumed calls whose settle said so, once RELEASE_AFTER_MS have passed; none during a recovery. */
  releaseDue(): Promise<ReleasedCalls>;
  openBatches(): Promise<readonly OpenBatch[]>;
  /**
   * Settles lines of a batch's results if and only if exactly the lines before them are settled. Returns how many are
   * settled now: an unexpected number says where to go on, -1 that no such batch is open.
   */
  settleBatchLines(lines: BatchLines): Promise<{ readonly settledLines: number }>;
  /** Releases what a batch has left of its reservation. */
  closeBatch(batch: string): Promise<void>;
  /** Puts lost batches, or lines of them, back, once their counters are raised; more settled lines stay. Idempotent. */
  restoreBatches(batches: readonly LoggedBatch[]): Promise<void>;
  /** The oldest records of the usage stream. */
  readUsage(count: number): Promise<readonly StreamEntry[]>;
  /** Deletes records from the stream, once the log has them. */
  deleteUsage(entries: readonly string[]): Promise<void>;
  /** The oldest rows of the refusal stream. */
  readRefusals(count: number): Promise<readonly RefusalEntry[]>;
  deleteRefusals(entries: readonly string[]): Promise<void>;
}

/** One process's access to a ledger. */
export interface Ledger {
  readonly gateway: GatewayLedger;
  readonly operator: OperatorLedger;
}
