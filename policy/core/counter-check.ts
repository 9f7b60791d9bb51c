/**
 * What policy asks of the ledger's counters and what it reads from them. The types live here so that planning and
 * status are pure; only ledger/ keeps counters.
 */

/** How a budget takes part in the decision: it limits, it only watches, or the call is exempt from it. */
export type CheckMode = 'Enforce' | 'Observe' | 'Exempt';

/** What one counter must satisfy for a call to fit. */
export interface Bound {
  /** limit + grants + critical extra. Nano-dollars. */
  readonly capNano: bigint;
  /** cap + tolerance − worst; negative where the call alone does not fit. Nano-dollars. */
  readonly roomNano: bigint;
  /** tolerance − gap: the most that the gaps of other calls in flight may add up to. Counts only where the call has one. */
  readonly gapRoomNano: bigint;
}

/** One budget that governs a call, in the period in which it is admitted. */
export interface Check {
  /** `namespace/name`. */
  readonly budget: string;
  /** `namespace/name/every/zone/startMs`: names the period's counters, survives re-creation of the budget. */
  readonly counter: string;
  /** With `per`: the values as a JSON array; else null. */
  readonly value: string | null;
  /** The period, half-open, in milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
  readonly mode: CheckMode;
  /** For the value's own counter, or for the pool where there is no `per`. */
  readonly bound: Bound;
  /** With `per` and `totalUsd`: for the counter of all values together. */
  readonly total: Bound | null;
}

/** One counter that had no room. */
export interface Failure {
  /** Index into `checks`. */
  readonly check: number;
  /** True where the total over all values did not fit, false for the value's counter or the pool. */
  readonly ofTotal: boolean;
  /** Would fit once calls in flight settle. */
  readonly waiting: boolean;
  readonly spentNano: bigint;
  readonly committedNano: bigint;
}

/** What a counter holds. Nano-dollars and counts. */
export interface Counter {
  readonly spentNano: bigint;
  readonly certainNano: bigint;
  readonly committedNano: bigint;
  /** Settled calls. */
  readonly requests: number;
  /** Calls refused because this budget was spent: counted once in the total and once for their value. */
  readonly refused: number;
  /** Observe: calls let through that would have been refused as spent. */
  readonly wouldRefuse: number;
  /** The cap at which a call was last refused as spent, if none was admitted since under that cap or a lower one. */
  readonly exhaustedAtNano: bigint | null;
}

/** The counter of one value of `per`. */
export interface ValueCounter extends Counter {
  /** The JSON array of values; `"…"` (see `REST`) for the counter shared by all values past the first 10,000. */
  readonly value: string;
}

/** Which counters of a budget to read, in one period. */
export interface ReadingQuery {
  readonly counter: string;
  /** Whether values have counters of their own. */
  readonly per: boolean;
  /** How many of the dearest values; the values named in `also` come with them. */
  readonly top: number;
  readonly also: readonly string[];
}

/** The answer to a `ReadingQuery`. */
export interface Reading {
  /** The pool; with `per`, all values together. */
  readonly total: Counter;
  /** With `per`: the `top` dearest values, dearest first, and those asked for by name. */
  readonly values: readonly ValueCounter[];
  /** With `per`: how many values have a counter, and how many of them are exhausted. */
  readonly valueCount: number;
  readonly exhaustedCount: number;
}

/** The value of the counter that all values past `MAX_VALUES` share. */
export const REST = '…';

/** How many values of a budget have a counter of their own. */
export const MAX_VALUES = 10_000;
