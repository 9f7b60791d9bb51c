/**
 * Where a ledger lives in Redis. All keys of an installation share one hash tag, so every operation is one script; the
 * scripts take the prefix as their only key and append:
 *
 *     :ledger                hash    epoch, lost, sequence, sparedUntil, and for each living gateway `@<incarnation>`:
 *                                    the number of its last change
 *     :counter:<counter>     hash    the pool, with `per` all values together: s spent, f certain, c committed,
 *                                    n requests, x refused, w wouldRefuse, e the cap at which it was exhausted
 *     :counter:<counter>#<v> hash    the same for one value
 *     :values:<counter>      zset    the values that have a counter, by spent (for ordering only)
 *     :exhausted:<counter>   set     the values that are exhausted
 *     :open:<incarnation>    hash    call id → lease: cmsgpack of standing, worst, when it may be forgotten, counters
 *     :ended:<call id>       string  a tombstone; expires after ENDED_MS
 *     :presumed              hash    call id → lease of a gateway that fell silent, or the rest of a settle
 *     :presumedUntil         zset    call id by when it may be forgotten
 *     :beats  :reports       zset, hash    incarnation by its last beat; what it reports
 *     :fences                hash    workspace → the lowest version that may still be enforced
 *     :usage                 stream  field `record`: one JSON object a settled call
 */

import { END_OF_TIME } from '../policy/period.ts';

/** The prefix of an installation's keys. */
export function keyPrefix(installation: string): string {
  return `{tollgate:${installation}}`;
}

/** How long a counter outlives its period, so that late settles and questions about last week still find it. */
export const RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

/** How long a settled or released id is remembered: longer than any command can be on its way. */
export const ENDED_MS = 60_000;

/** When the counters of a period that ends at `end` expire. Milliseconds since the epoch. */
export function expireAt(end: number): number {
  return Math.min(end + RETENTION_MS, END_OF_TIME);
}
