/** How long the ledger keeps things and waits for clients. All in milliseconds. */

import { END_OF_TIME } from '../policy/core/period.ts';

/** An incarnation without a heartbeat for this long is swept: its reservations become presumed. */
export const LEASE_MS = 15_000;

/** A recovery lasts at least this long, so that every session notices it. */
export const MIN_RECOVERY_MS = 2_000;

/** A recovery waits this long for sessions that do not come back. */
export const REPLAY_TIMEOUT_MS = 10_000;

/** How long an ended id is remembered: longer than commands and replays take, with a clock that is a minute ahead. */
export const TOMBSTONE_MS = 180_000;

/** How long money stays presumed whose settle says that it is released by itself. */
export const RELEASE_AFTER_MS = 15 * 60_000;

/** How long a call that waits for room counts as waiting, unless it asks again. It does every 100 ms or so. */
export const WAIT_MARK_MS = 2_000;

/** How long a counter outlives its period, for late settles and for questions about last week. */
export const RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

/** How long the counter of a value does: until every batch sent in the period has settled, and a day. */
export const VALUE_RETENTION_MS = 2 * 24 * 60 * 60 * 1000;

/** When the pool of a period that ends at `end` expires. Milliseconds since the epoch. */
export function expireAt(end: number): number {
  return Math.min(end + RETENTION_MS, END_OF_TIME);
}

/** When the counters of values expire, whose pool expires at `poolExpireAt`. Milliseconds since the epoch. */
export function valueExpireAt(poolExpireAt: number): number {
  return poolExpireAt - (RETENTION_MS - VALUE_RETENTION_MS);
}
