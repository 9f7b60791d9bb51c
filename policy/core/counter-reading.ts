/** What is read from the ledger's counters. The types are here so that status is pure; ledger/ keeps the counters. */

import type { Nano } from './money.ts';

/** The content of a counter: nano-dollars and counts. */
export interface Counter {
  readonly spentNano: Nano;
  readonly certainNano: Nano;
  readonly committedNano: Nano;
  /** Settled calls. */
  readonly requests: number;
  /** Calls refused as spent; with `per`, counted in the total and for their value. */
  readonly refused: number;
  /** In mode Observe: admitted calls that would have been refused as spent. */
  readonly wouldRefuse: number;
  /** The cap at which a call was last refused as spent; null once one was admitted under that cap or a lower one. */
  readonly exhaustedAtNano: Nano | null;
}

/** The counter of one value of `per`. */
export interface ValueCounter extends Counter {
  /** The JSON array of values; `"…"` (see `REST`) for the counter that all values beyond the first 10,000 share. */
  readonly value: string;
}

/** The counters of a budget to read, in one period. */
export interface ReadingQuery {
  readonly counter: string;
  /** Whether values have counters of their own. */
  readonly per: boolean;
  /** The number of values with the highest spend; the values in `also` are read too. */
  readonly top: number;
  readonly also: readonly string[];
}

export interface Reading {
  /** The budget's only counter; with `per`, that of all values together. */
  readonly total: Counter;
  /** With `per`: the `top` values with the highest spend, in that order, and those of `also`. */
  readonly values: readonly ValueCounter[];
  /** With `per`: the number of values with a counter, and of those that are exhausted. */
  readonly valueCount: number;
  readonly exhaustedCount: number;
}

/** The value of the counter that all values beyond `MAX_VALUES` share. */
export const REST = '…';

/** The number of values of a budget that have their own counter. */
export const MAX_VALUES = 10_000;
