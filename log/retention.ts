import type { Query } from './database/database.ts';

/** How many rows of a table one transaction deletes, so that nobody waits long for the lock. */
const CHUNK = 5_000;
/** The ledger's clock may be behind ours: what it may still ask for stays a day longer. Milliseconds. */
const SLACK_MS = 86_400_000;

/** What a counter adds up to is asked for by a rebuild alone, and never once the counter is forgotten. */
const TOTALS = `
delete from totals where counter = any(array(select counter from totals where keep_until < $1 limit ${CHUNK}))
returning 1`;

/** A row of which nobody knows the cost yet stays until that is decided, however old it is. */
const CALLS = `
delete from calls where id = any(array(
  select id from calls where time < $1::timestamptz and state <> 'presumed' order by time limit ${CHUNK}))
returning 1`;

const BATCHES = `
delete from batches b where b.time < $1::timestamptz
  and not exists (select from calls c where c.id = b.id || '/batch' and c.state = 'presumed')
returning 1`;

const REFUSALS = `
delete from refusals where ctid = any(array(select ctid from refusals where minute < $1::timestamptz limit ${CHUNK}))
returning 1`;

/**
 * Deletes some of what is older than `keptMs` at `now` (milliseconds; null: of calls and refusals nothing is), and the
 * totals of counters that are forgotten, in a transaction that holds the log's lock. Returns whether there may be more.
 */
export async function deleteOld(query: Query, now: number, keptMs: number | null): Promise<boolean> {
  const totals = await query(TOTALS, [now - SLACK_MS]);
  if (keptMs === null) return totals.length === CHUNK;
  const before = new Date(now - keptMs).toISOString();
  await query(BATCHES, [before]);
  const calls = await query(CALLS, [before]);
  const refusals = await query(REFUSALS, [before]);
  return [totals, calls, refusals].some(({ length }) => length === CHUNK);
}
