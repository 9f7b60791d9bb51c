import { LogUnreachable } from '../../log/database/database.ts';
import type { SpenderRanking } from '../../log/top-spenders.ts';
import type { UsageLog } from '../../log/usage-log.ts';
import type { Settings } from '../../policy/config/settings.ts';

/** The customers and users that spent most within the last 24 hours. */
export interface SpenderTotals {
  readonly customers: SpenderRanking;
  /** Null where the setting `namedUsers` is 0. */
  readonly users: SpenderRanking | null;
}

interface TopSpendersOptions {
  readonly log: Pick<UsageLog, 'spenders'>;
  readonly settings: Pick<Settings, 'namedUsers'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A monotonic clock, in milliseconds. */
  readonly elapsed: () => number;
}

const DAY_MS = 86_400_000;
const INTERVAL_MS = 15_000;
/** The pause after a query, as a multiple of its duration, so that it loads the database by 5 % at most. */
const PAUSE_FACTOR = 20;
/** How many names are read. */
const MAX_NAMES = 100;

/** Queries the usage log for the top spenders: the gateways' metrics name neither customers nor, by default, users. */
export class TopSpenders {
  readonly #options: TopSpendersOptions;
  #totals: SpenderTotals | null = null;

  constructor(options: TopSpendersOptions) {
    this.#options = options;
  }

  /** The last answer; null where the usage log is out of reach. */
  get totals(): SpenderTotals | null {
    return this.#totals;
  }

  /** Queries again. Returns in how many milliseconds the next query is due. */
  async refresh(): Promise<number> {
    const { clock, elapsed } = this.#options;
    const started = elapsed();
    // The first query may include opening the database, so its duration says nothing about the next.
    const isFirst = this.#totals === null;
    this.#totals = await this.#query(clock() - DAY_MS).catch(nullIfUnreachable);
    return isFirst ? INTERVAL_MS : Math.max(INTERVAL_MS, (elapsed() - started) * PAUSE_FACTOR);
  }

  async #query(since: number): Promise<SpenderTotals> {
    const { log, settings } = this.#options;
    const customers = await log.spenders('customer', since, MAX_NAMES);
    return { customers, users: settings.namedUsers === 0 ? null : await log.spenders('user', since, MAX_NAMES) };
  }
}

/** The ingest reports a database that is out of reach. */
function nullIfUnreachable(error: unknown): null {
  if (error instanceof LogUnreachable) return null;
  throw error;
}
