import { LogUnreachable } from '../../log/database/database.ts';
import type { Spenders } from '../../log/spenders.ts';
import type { UsageLog } from '../../log/usage-log.ts';
import type { Settings } from '../../policy/config/settings.ts';

/** Who spent what within the last day. */
export interface SpenderFindings {
  readonly customers: Spenders;
  /** Null where the installation wants no user named. */
  readonly users: Spenders | null;
}

interface SurveyOptions {
  readonly log: Pick<UsageLog, 'spenders'>;
  readonly settings: Pick<Settings, 'namedUsers'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A clock that never jumps, for durations. Milliseconds. */
  readonly elapsed: () => number;
}

const DAY_MS = 86_400_000;
const EVERY_MS = 15_000;
/** A survey may keep the database busy for so small a part of the time. */
const IDLE_SHARE = 20;
/** How many are ranked by name. */
const MOST = 100;

/** Asks the usage log now and then who spent most: what no counter of a gateway can tell, because it names nobody. */
export class TopSpenders {
  readonly #options: SurveyOptions;
  #findings: SpenderFindings | null = null;

  constructor(options: SurveyOptions) {
    this.#options = options;
  }

  /** What was found last; null where the log could not be asked. */
  get findings(): SpenderFindings | null {
    return this.#findings;
  }

  /** Asks again. Returns after how many milliseconds the next time is due. */
  async turn(): Promise<number> {
    const { clock, elapsed } = this.#options;
    const started = elapsed();
    // The first time the database may have to be opened, which says nothing of how long it takes to ask.
    const isFirst = this.#findings === null;
    this.#findings = await this.#ask(clock() - DAY_MS).catch(unlessUnreachable);
    return isFirst ? EVERY_MS : Math.max(EVERY_MS, (elapsed() - started) * IDLE_SHARE);
  }

  async #ask(since: number): Promise<SpenderFindings> {
    const { log, settings } = this.#options;
    const customers = await log.spenders('customer', since, MOST);
    return { customers, users: settings.namedUsers === 0 ? null : await log.spenders('user', since, MOST) };
  }
}

/** That the database is away is reported by whoever writes to it. */
function unlessUnreachable(error: unknown): null {
  if (error instanceof LogUnreachable) return null;
  throw error;
}
