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

/**
 * Deletes some of the rows of the usage log that are older than the setting `usageLogRetention`. Returns after how many
 * milliseconds the next turn is due.
 */
export async function deleteOldRows({ log, settings, clock }: RetentionOptions): Promise<number> {
  const keptMs = settings.usageLogRetention === 'Forever' ? null : settings.usageLogRetention;
  try {
    return (await log.deleteOld(clock(), keptMs)) ? MORE_MS : DONE_MS;
  } catch (error) {
    if (error instanceof LogUnreachable) return DONE_MS; // the ingest reports it
    throw error;
  }
}
