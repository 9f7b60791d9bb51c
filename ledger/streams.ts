/** The ledger's two streams, which the operator moves into the usage log: what calls cost, and how many were refused. */

import type { Ref } from '../policy/core/compiled-policy.ts';
import type { Check } from '../policy/core/counter-check.ts';
import type { Owner } from '../policy/core/owner.ts';
import type { StreamedRecord } from '../policy/core/usage-record.ts';

export interface StreamEntry {
  /** Its id in the stream. */
  readonly entry: string;
  readonly record: StreamedRecord;
  /** The full names of the call's counters. */
  readonly counters: readonly string[];
  /** When those counters expire. Milliseconds since the epoch. */
  readonly keepUntil: number;
}

/** How many calls with one key were refused for one reason within a minute. The owner is empty where it is not known. */
export interface RefusalRow extends Owner {
  /** When the minute began. Milliseconds since the epoch. */
  readonly minute: number;
  readonly key: string;
  /** The budget that refused, or ''. */
  readonly budget: Ref;
  readonly reason: string;
  readonly count: number;
}

/** Calls that a gateway refused as spent without asking the ledger: how many, of one value of a budget in one period. */
export interface UnaskedRefusals extends Pick<Check, 'counter' | 'value' | 'end'> {
  readonly workspace: Ref;
  readonly count: number;
}

/** A row of the refusal stream as it was read; its shape is not checked. */
export interface RefusalEntry {
  readonly entry: string;
  readonly row: RefusalRow;
}

/** How many usage records the stream may hold before nothing more is admitted, unless the options say otherwise. */
export const DEFAULT_USAGE_LIMIT = 250_000;

/** About how many rows the refusal stream holds; older ones are dropped. */
export const MAX_REFUSAL_ROWS = 10_000;
