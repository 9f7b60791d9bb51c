import { LedgerUnreachable } from '../../ledger/ledger.ts';
import type { OperatorLedger } from '../../ledger/operator-ledger.ts';
import { LogUnreachable } from '../../log/database/database.ts';
import type { UsageLog } from '../../log/usage-log.ts';

interface IngestOptions {
  readonly log: Pick<UsageLog, 'ingest' | 'oldest'>;
  readonly ledger: Pick<OperatorLedger, 'state'>;
  /** The monotonic clock. Milliseconds. */
  readonly elapsed: () => number;
}

/** The pause after a turn that emptied the stream. Milliseconds. */
const IDLE_MS = 500;

/** Takes the usage stream into the log, turn by turn, and measures for how long the database has not answered. */
export class Ingest {
  readonly #options: IngestOptions;
  #unreachableSince: number | null = null;

  constructor(options: IngestOptions) {
    this.#options = options;
  }

  /** One turn. Returns after how many milliseconds the next one is due; throws LogUnreachable. */
  async turn(): Promise<number> {
    const { log, ledger, elapsed } = this.#options;
    try {
      // The records in another installation's ledger belong to its log.
      if ((await ledger.state()).lost === 'otherEpoch') return IDLE_MS;
      const ingested = await log.ingest();
      this.#unreachableSince = null;
      return ingested.isCaughtUp ? IDLE_MS : 0;
    } catch (error) {
      if (error instanceof LedgerUnreachable) return IDLE_MS; // reported by the ledger guard
      if (error instanceof LogUnreachable) this.#unreachableSince ??= elapsed();
      throw error;
    }
  }

  /** For how long the database has not answered. Milliseconds. */
  get unreachableMs(): number {
    return this.#unreachableSince === null ? 0 : this.#options.elapsed() - this.#unreachableSince;
  }

  /** How long the oldest record has been waiting in the ledger at `now`. Both in milliseconds. */
  lagMs(now: number): number {
    const { oldest } = this.#options.log;
    return oldest === null ? 0 : Math.max(0, now - oldest);
  }
}
