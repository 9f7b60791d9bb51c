import type { LogPlace } from '../../config/log-place.ts';
import type { Database } from './database.ts';
import { openPostgres } from './postgres.ts';

/** Opens the database of the log. Throws `LogUnreachable`. */
export async function openDatabase(place: LogPlace): Promise<Database> {
  if ('url' in place) return openPostgres(place.url);
  // Loaded on demand: an operator with a Postgres never needs these megabytes.
  const { openPGlite } = await import('./pglite.ts');
  return openPGlite(place.folder);
}
