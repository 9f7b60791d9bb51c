import type { Query } from './database/database.ts';

/** Rows of a table that one transaction deletes, so that it does not hold the log's lock for long. */
const CHUNK = 5_000;
/** Totals stay a day longer, because the ledger's clock may be behind ours. Milliseconds. */
const SLACK_MS = 86_400_000;

/** Totals are only read by a rebuild of the ledger, which does not need those of expired counters. */
const TOTALS = `
delete from totals where counter = any(array(select counter from totals where keep_until < $1 limit ${CHUNK}))
returning 1`;

/** A presumed row stays until its cost is decided, however old it is. */
const CALLS = `
delete from calls where id = any(array(
  select id from calls where time < $1::timestamptz and state <> 'presumed' order by time limit ${CHUNK}))
returning 1`;

const BATCHES = `
delete from batches b where b.time < $1::timestamptz
  and not exists (select from calls c where c.id = b.id || '/batch' and c.state = 'presumed')
returning 1`;

const CORRECTIONS = `
delete from corrections where number = any(array(
  select number from corrections where time < $1::timestamptz limit ${CHUNK}))
returning 1`;

const REFUSALS = `
delete from refusals where ctid = any(array(select ctid from refusals where minute < $1::timestamptz limit ${CHUNK}))
returning 1`;

/**
 * Deletes a part of the rows that are older than `keptMs` at `now` (milliseconds; null keeps all but totals) and of
 * the totals of expired counters, in a transaction that holds the log's lock. Returns whether there may be more.
 */
export async function deleteOld(query: Query, now: number, keptMs: number | null): Promise<boolean> {
  const totals = await query(TOTALS, [now - SLACK_MS]);
  if (keptMs === null) return totals.length === CHUNK;
  const before = new Date(now - keptMs).toISOString();
  await query(BATCHES, [before]);
  const calls = await query(CALLS, [before]);
  const corrections = await query(CORRECTIONS, [before]);
  const refusals = await query(REFUSALS, [before]);
  return [totals, calls, corrections, refusals].some(({ length }) => length === CHUNK);
}
