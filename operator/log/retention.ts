import { LogUnreachable } from '../../log/database/database.ts';
import type { UsageLog } from '../../log/usage-log.ts';
import type { Settings } from '../../policy/config/settings.ts';

interface RetentionOptions {
  readonly log: Pick<UsageLog, 'deleteOld'>;
  readonly settings: Pick<Settings, 'usageLogRetention'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** The pause after a turn that left old rows, and after one that left none. Milliseconds. */
const MORE_MS = 200;
const DONE_MS = 3_600_000;

/** Deletes rows of the usage log that are older than the setting `usageLogRetention`, a few at a time. */
export class Retention {
  readonly #options: RetentionOptions;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** Deletes a part. Returns after how many milliseconds the next turn is due. */
  async turn(): Promise<number> {
    const { log, settings, clock } = this.#options;
    const keptMs = settings.usageLogRetention === 'Forever' ? null : settings.usageLogRetention;
    try {
      return (await log.deleteOld(clock(), keptMs)) ? MORE_MS : DONE_MS;
    } catch (error) {
      if (error instanceof LogUnreachable) return DONE_MS; // the ingest reports it
      throw error;
    }
  }
}
