import { REPLAY_TIMEOUT_MS } from '../../ledger/durations.ts';
import type { LedgerState } from '../../ledger/ledger.ts';
import type { CounterMinimum, OperatorLedger } from '../../ledger/operator-ledger.ts';
import type { UsageLog } from '../../log/usage-log.ts';
import { lastingMinimums } from './counter-minimums.ts';

export interface RebuildOptions {
  readonly ledger: Pick<OperatorLedger, 'raiseCounters' | 'restoreBatches' | 'resume'>;
  readonly log: Pick<UsageLog, 'drain' | 'totals' | 'batches'>;
  /** The lowest sums that the counters can have at `now` (milliseconds), by the statuses. */
  readonly statusMinimums: (now: number) => readonly CounterMinimum[];
  /** The incarnations of gateways that the ledger knows now. */
  readonly incarnations: () => readonly string[];
  /** Compiles the policy and raises all fences. */
  readonly policy: { reconcile(): Promise<void> };
}

/** Time that living gateways need at most to find the ledger and replay their changes. Milliseconds. */
const REPLAY_MS = 3_000;

/**
 * Rebuilds a ledger that lost more than its gateways can replay. The gateways restore their calls in flight; the
 * usage log and the statuses raise the counters, whichever is higher, and the log restores the Message Batches. Then
 * the fences are raised and calls go on. Every step may be repeated, by this operator or by its successor.
 */
export class Rebuild {
  readonly #options: RebuildOptions;
  #expected: ReadonlySet<string> = new Set();

  constructor(options: RebuildOptions) {
    this.#options = options;
  }

  /** Notes the gateways of a healthy ledger: a later rebuild waits for them. */
  noteGateways(): void {
    this.#expected = new Set(this.#options.incarnations());
  }

  /** Whether the usage log or the statuses have anything that an empty ledger lacks. Throws LogUnreachable. */
  async hasMore(now: number): Promise<boolean> {
    const { log, statusMinimums } = this.#options;
    const minimums = [...statusMinimums(now), ...(await log.totals(now))];
    if (minimums.some(({ spentNano, presumedNano }) => spentNano + presumedNano > 0n)) return true;
    return (await log.batches(now)).length > 0;
  }

  /** Does what can be done now. Returns whether calls go on; throws LedgerUnreachable or LogUnreachable. */
  async advance({ now, recovering }: LedgerState): Promise<boolean> {
    if (recovering === null || !this.#haveReplayed(now - recovering.since, recovering.missing)) return false;
    const { ledger, log, statusMinimums, policy } = this.#options;
    // Step by step: after an outage so much may wait that a single pass would hold up statuses and look stuck.
    if (!(await log.drain())) return false;
    const minimums = [...(await log.totals(now)), ...statusMinimums(now)];
    await ledger.raiseCounters(lastingMinimums(minimums, now));
    // Read after the sums, so that a batch that is settled in between is not counted twice.
    await ledger.restoreBatches(await log.batches(now));
    await policy.reconcile();
    return ledger.resume(recovering.since);
  }

  /** Whether all expected gateways have replayed their changes, or have had time enough. */
  #haveReplayed(elapsedMs: number, missing: readonly string[]): boolean {
    // The calls of a gateway that stays away are lost or in the usage log.
    if (elapsedMs >= REPLAY_TIMEOUT_MS) return true;
    if (elapsedMs < REPLAY_MS || missing.length > 0) return false;
    const present = new Set(this.#options.incarnations());
    return [...this.#expected].every((incarnation) => present.has(incarnation));
  }
}
