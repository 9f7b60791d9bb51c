/** What the ledger appends for the log: what calls cost, and how many were refused. */

import type { Ref } from '../policy/core/compiled-policy.ts';

/**
 * One call in the usage stream. Flat JSON; money as decimal strings of nano-dollars. `state` says what it knows of the
 * cost: `final`; `presumed` (at most `worst_nano`); `booked` or `released`, where that was decided without knowing.
 * Of several of one `id` the highest rank counts: final, then released, then booked, then presumed. What stays presumed of
 * a settled call, and what a batch holds while it runs, are records of their own: `<id>/rest`, `<id>/batch`; the latter says
 * all that is needed to put the batch back.
 */
export type UsageRecord = Readonly<Record<string, string | number | boolean | null>>;

/** A record in the usage stream. */
export interface StreamEntry {
  /** Its place in the stream. */
  readonly entry: string;
  readonly record: UsageRecord;
  /** The true names of the counters in which the call is booked. */
  readonly counters: readonly string[];
  /** When those counters may be forgotten. Milliseconds. */
  readonly keepUntil: number;
}

/** How many calls with one key were refused for one reason within a minute. */
export interface RefusalRow {
  /** When the minute began. Milliseconds. */
  readonly minute: number;
  readonly workspace: Ref;
  readonly key: string;
  /** The budget that refused, or ''. */
  readonly budget: Ref;
  readonly reason: string;
  readonly count: number;
}

/** A row in the stream of refusals, which nobody has checked. */
export interface RefusalEntry {
  readonly entry: string;
  readonly row: RefusalRow;
}
