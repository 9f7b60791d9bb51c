/** What the ledger appends for the log: what calls cost, and how many were refused. */

import type { Ref } from '../policy/core/compiled-policy.ts';
import type { StreamedRecord } from '../policy/core/usage-record.ts';

/** A record in the usage stream. */
export interface StreamEntry {
  /** Its place in the stream. */
  readonly entry: string;
  readonly record: StreamedRecord;
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
