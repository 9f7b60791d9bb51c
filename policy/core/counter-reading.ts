/** What is read from the ledger's counters. The types are here so that status is pure; ledger/ keeps the counters. */

import type { Ref } from './compiled-policy.ts';
import type { Nano } from './money.ts';

/** The content of a counter: nano-dollars and counts. */
export interface Counter {
  readonly spentNano: Nano;
  /** What people have taken out of `spentNano` by correcting calls; negative if they added to it. */
  readonly correctedNano: Nano;
  readonly certainNano: Nano;
  readonly committedNano: Nano;
  /** Settled calls. */
  readonly requests: number;
  /** Calls refused as spent or too large; with `per`, counted in the total and for their value. */
  readonly refused: number;
  /** In mode Observe: admitted calls that would have been refused so. */
  readonly wouldRefuse: number;
  /** The cap at which a call was last refused as spent; null once one was admitted under that cap or a lower one. */
  readonly exhaustedAtNano: Nano | null;
  /**
   * The worst case of the call that was last too large for what is left, or would have been in mode Observe; null for none.
   * With `per`, of the total only, whichever counter it was too large for.
   */
  readonly tooLargeNano: Nano | null;
}

/** The counter of one value of `per`. */
export interface ValueCounter extends Counter {
  /** The JSON array of values; for the counter of a workspace's values that have none of their own, as in `sharedValueOf`. */
  readonly value: string;
}

/** The counters of a budget to read, in one period. */
export interface ReadingQuery {
  readonly counter: string;
  /** Whether values have counters of their own. */
  readonly per: boolean;
  /** The number of values with the highest spend, at most `MAX_TOP`; the values in `also` are read too. */
  readonly top: number;
  readonly also: readonly string[];
  /** The value of the shared counter in which values of `also` without a counter of their own count; absent: they read 0. */
  readonly sharedValue?: string;
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

/** The number of values of a budget, in a period, that have counters of their own for the calls of one namespace. */
export const MAX_VALUES = 10_000;

/** The same over all budgets and periods, and for a budget whose values are runs: about 42 MB of Redis for a namespace. */
export const MAX_NAMESPACE_VALUES = 100_000;

/** What the value of every shared counter begins with. A value of `per` is a JSON array, so none is taken for another. */
export const SHARED_VALUE = '…';

/**
 * The value of the counter that the values of a workspace share once they get none of their own: `…` in a budget of its
 * own namespace, `…<workspace>` in a spanning one. `counter` and `workspace` begin with their namespaces.
 */
export function sharedValueOf(counter: string, workspace: Ref): string {
  return isSpanningCounter(counter, workspace) ? `${SHARED_VALUE}${workspace}` : SHARED_VALUE;
}

/** Whether a workspace is one of several whose calls a counter may count: it belongs to a spanning budget. */
export function isSpanningCounter(counter: string, workspace: Ref): boolean {
  return namespaceOf(counter) !== namespaceOf(workspace);
}

export function isSharedValue(value: string): boolean {
  return value.startsWith(SHARED_VALUE);
}

/** The namespace with which the name of a counter or a workspace begins. */
export function namespaceOf(name: string): string {
  return name.slice(0, name.indexOf('/'));
}

/** The most values that can be read by their spend. */
export const MAX_TOP = 100;
