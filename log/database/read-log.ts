import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LogPlace } from '../../config/log-place.ts';
import { askFolder } from './folder-socket.ts';
import { openDatabase } from './open-database.ts';
import { readOnly } from './read-only.ts';

/**
 * Runs one SELECT on the log, also beside an operator that has its folder open. Nothing is written. Throws
 * `LogUnreachable`, or an Error that says what is wrong with the statement.
 */
export async function readLog(place: LogPlace, sql: string): Promise<readonly unknown[]> {
  if ('folder' in place) {
    const rows = await askFolder(place.folder, sql);
    if (rows !== null) return rows;
    if (!existsSync(join(place.folder, 'PG_VERSION'))) throw new Error(`there is no usage log in ${place.folder}`);
  }
  const database = await openDatabase(place);
  try {
    return await readOnly(database, sql);
  } finally {
    await database.close();
  }
}
