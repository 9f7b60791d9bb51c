import { LogUnreachable } from '../../log/database/database.ts';
import type { UsageLog } from '../../log/usage-log.ts';
import type { Settings } from '../../policy/config/settings.ts';

interface HousekeepingOptions {
  readonly log: Pick<UsageLog, 'deleteOld'>;
  readonly settings: Pick<Settings, 'usageLogRetention'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** How soon more is deleted where there is more, and when it is looked again. Milliseconds. */
const MORE_MS = 200;
const EVERY_MS = 3_600_000;

/** Deletes from the usage log what has been kept for long enough, a little at a time. */
export class Housekeeping {
  readonly #options: HousekeepingOptions;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  /** Deletes some. Returns after how many milliseconds the next turn is due. */
  async turn(): Promise<number> {
    const { log, settings, clock } = this.#options;
    const keptMs = settings.usageLogRetention === 'Forever' ? null : settings.usageLogRetention;
    try {
      return (await log.deleteOld(clock(), keptMs)) ? MORE_MS : EVERY_MS;
    } catch (error) {
      if (error instanceof LogUnreachable) return EVERY_MS; // whoever writes to it reports that
      throw error;
    }
  }
}
