/**
 * Where a ledger lives in Redis. All keys of an installation share one hash tag, so every operation is one script; the
 * scripts take the prefix as their only key and append:
 *
 *     :ledger                hash    epoch, sequence, sparedUntil; run (id of the server on which it was last in force),
 *                                    line and the sequence `from` which it counts; recovering (since when, ms), deep (why
 *                                    not by itself), short (somebody missed something); and for each living gateway
 *                                    `@<incarnation>`: the number of its last change in the line that it has joined
 *     :last:@<incarnation>   string  the same number, once it is off the list; expires after RETENTION_MS
 *     :recovery              hash    incarnation → expected or replayed, while it recovers
 *     :counter:<counter>     hash    the pool, with `per` all values together: s spent, f certain, c committed, g gaps
 *                                    of calls in flight, n requests, x refused, w wouldRefuse, e the cap at which it
 *                                    was exhausted
 *     :counter:<counter>#<v> hash    the same for one value
 *     :values:<counter>      zset    the values that have a counter, by spent (for ordering only)
 *     :exhausted:<counter>   set     the values that are exhausted
 *     :open:<incarnation>    hash    call id → lease: cmsgpack of standing, worst, gap, when it may be forgotten, counters
 *     :ended:<call id>       string  a tombstone; expires after TOMBSTONE_MS, of a booked call after RETENTION_MS
 *     :presumed              hash    call id → lease of a gateway that fell silent, or the rest of a settle
 *     :booked                hash    call id → lease that was resolved without knowing its cost: a late settle corrects it
 *     :presumedSince         zset    presumed call ids by since when
 *     :presumedUntil         zset    presumed and booked call ids by when they may be forgotten
 *     :batches               hash    batch → cmsgpack of call id, workspace, meta, lines booked, lease
 *     :batch:<batch>         string  0 or 1 (all of it is booked) and the workspace; expires after BATCH_OWNER_TTL_MS
 *     :beats  :reports       zset, hash    incarnation by its last beat; what it reports
 *     :fences                hash    workspace → the lowest version that may still be enforced
 *     :usage                 stream  `record`: JSON, one a settled or presumed call; `booked`: a line each, when its
 *                                    counters may be forgotten and their true names
 *     :refusals              stream  `row`: JSON; the oldest go where there are too many
 */

import { END_OF_TIME } from '../policy/core/period.ts';

/** The prefix of an installation's keys. */
export function keyPrefix(installation: string): string {
  return `{tollgate:${installation}}`;
}

/** How long a counter outlives its period, so that late settles and questions about last week still find it. */
export const RETENTION_MS = 7 * 24 * 60 * 60 * 1000;

/**
 * How long a settled or released id is remembered: longer than any command can be on its way, and than a gateway may
 * tell it again (journal.ts), by a clock that is a minute ahead.
 */
export const TOMBSTONE_MS = 180_000;

/** When the counters of a period that ends at `end` expire. Milliseconds since the epoch. */
export function expireAt(end: number): number {
  return Math.min(end + RETENTION_MS, END_OF_TIME);
}

/** About how many rows the stream of refusals holds. */
export const MAX_REFUSAL_ROWS = 10_000;
