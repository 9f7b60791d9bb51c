import type { LoggedBatch } from '../../ledger/batches.ts';
import { type CounterMinimum, type LedgerState, type OperatorLedger, REPLAY_TIMEOUT_MS } from '../../ledger/ledger.ts';

/** What the usage log gives back to a ledger that lost it. */
export interface UsageTotals {
  /** Takes what is in the ledger's stream of usage. Returns whether that was all; throws where the log is out of reach. */
  drain(): Promise<boolean>;
  /** What the calls of each counter add up to that is kept beyond `now` (milliseconds). */
  totals(now: number): Promise<readonly CounterMinimum[]>;
  /** The Message Batches that are not settled, whose money is in no total, and those that were settled lately. */
  batches(now: number): Promise<readonly LoggedBatch[]>;
}

interface RebuildOptions {
  readonly ledger: Pick<OperatorLedger, 'raiseCounters' | 'restoreBatches' | 'resume'>;
  readonly log: UsageTotals;
  /** What the statuses know of the counters at `now` (milliseconds). */
  readonly shown: (now: number) => readonly CounterMinimum[];
  /** The incarnations that the ledger knows now. */
  readonly living: () => readonly string[];
  /** Writes all fences, in one pass. */
  readonly raiseFences: () => Promise<void>;
}

/** What gateways that live need at most to find the ledger, write again what it lost and say so. Milliseconds. */
const REPLAYED_MS = 3_000;

/**
 * Brings a ledger back that lost more than its gateways remember. They write again what they have in flight; the log
 * and the statuses give back what was spent before, whichever of them says more, and the log the Message Batches; then the
 * fences, and calls go on.
 * Every step may be done again, by this operator or by its successor.
 */
export class Rebuild {
  readonly #options: RebuildOptions;
  #known: ReadonlySet<string> = new Set();

  constructor(options: RebuildOptions) {
    this.#options = options;
  }

  /** Takes note of who lives while nothing is wrong: a rebuild waits for them. */
  note(): void {
    this.#known = new Set(this.#options.living());
  }

  /** Whether the log or the statuses know of anything that an empty ledger lacks. Throws where the log is out of reach. */
  async hasMore(now: number): Promise<boolean> {
    const { log, shown } = this.#options;
    const floors = [...shown(now), ...(await log.totals(now))];
    if (floors.some(({ spentNano, presumedNano }) => spentNano + presumedNano > 0n)) return true;
    return (await log.batches(now)).length > 0;
  }

  /** Does what can be done now. Returns whether calls go on; throws where the ledger or the log is out of reach. */
  async advance({ now, recovering }: LedgerState): Promise<boolean> {
    if (recovering === null || !this.#isTime(now - recovering.since, recovering.missing)) return false;
    const { ledger, log, shown, raiseFences } = this.#options;
    // After an outage very much may wait there: statuses are not held up by it, nor is the operator taken for one that hangs.
    if (!(await log.drain())) return false;
    const floors = [...(await log.totals(now)), ...shown(now)];
    await ledger.raiseCounters(floors);
    // Read after the totals: what is settled in between is in neither.
    await ledger.restoreBatches(await log.batches(now));
    await raiseFences();
    return ledger.resume(recovering.since);
  }

  #isTime(elapsed: number, missing: readonly string[]): boolean {
    // Whoever stays away is given up: what it had in flight is gone or is found in the log.
    if (elapsed >= REPLAY_TIMEOUT_MS) return true;
    const back = new Set(this.#options.living());
    return (
      elapsed >= REPLAYED_MS && missing.length === 0 && [...this.#known].every((incarnation) => back.has(incarnation))
    );
  }
}
