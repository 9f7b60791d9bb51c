import { LedgerUnreachable, type OperatorLedger } from '../../ledger/ledger.ts';
import { LogUnreachable } from '../../log/database/database.ts';
import type { Ingested, UsageLog } from '../../log/usage-log.ts';

interface IngestOptions {
  readonly log: Pick<UsageLog, 'ingest' | 'oldest'>;
  readonly ledger: Pick<OperatorLedger, 'state'>;
  /** A clock that never jumps, for durations. Milliseconds. */
  readonly elapsed: () => number;
  readonly onIngested: (ingested: Ingested) => void;
}

/** How soon the stream is looked at again once it was empty. Milliseconds. */
const CALM_MS = 500;

/** Brings the usage stream into the log, turn by turn, and knows since when that does not work. */
export class Ingest {
  readonly #options: IngestOptions;
  #silentSince: number | null = null;

  constructor(options: IngestOptions) {
    this.#options = options;
  }

  /** One turn. Returns after how many milliseconds the next one is due; throws LogUnreachable. */
  async turn(): Promise<number> {
    const { log, ledger, elapsed, onIngested } = this.#options;
    try {
      // What is in another installation's ledger is another log's.
      if ((await ledger.state()).lost === 'otherEpoch') return CALM_MS;
      const ingested = await log.ingest();
      this.#silentSince = null;
      onIngested(ingested);
      return ingested.isCaughtUp ? CALM_MS : 0;
    } catch (error) {
      if (error instanceof LedgerUnreachable) return CALM_MS; // whose silence is reported elsewhere
      if (error instanceof LogUnreachable) this.#silentSince ??= elapsed();
      throw error;
    }
  }

  /** For how long the database has not answered. Milliseconds. */
  get silentMs(): number {
    return this.#silentSince === null ? 0 : this.#options.elapsed() - this.#silentSince;
  }

  /** For how long the oldest record has been waiting in the ledger at `now`. Milliseconds, as the instant. */
  lagMs(now: number): number {
    const { oldest } = this.#options.log;
    return oldest === null ? 0 : Math.max(0, now - oldest);
  }
}
