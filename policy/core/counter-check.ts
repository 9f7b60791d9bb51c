/** The checks that a call must pass in the ledger. The types are here so that planning is pure; ledger/ keeps the counters. */

import type { CompiledBudget } from './compiled-policy.ts';
import { add, type Nano, subtract, ZERO } from './money.ts';

/** Whether a budget limits the call, only observes it, or the call is exempt from it. */
export type CheckMode = 'Enforce' | 'Observe' | 'Exempt';

/** The bound that a counter must keep for a call to fit. */
export interface Bound {
  /** limit + grants + critical extra. Nano-dollars. */
  readonly capNano: Nano;
  /** cap + tolerance − worst; negative if the call does not fit even alone. Nano-dollars. */
  readonly roomNano: Nano;
  /** tolerance − gap: the maximum sum of the gaps of other calls in flight. Checked only for a call with a gap. */
  readonly gapRoomNano: Nano;
}

/** The bound that a counter of the budget must keep for a call to fit; `gapNano` as in a reservation. Nano-dollars. */
export function boundOf({ toleranceNano }: CompiledBudget, capNano: Nano, worstNano: Nano, gapNano = ZERO): Bound {
  const roomNano = subtract(add(capNano, toleranceNano), worstNano);
  return { capNano, roomNano, gapRoomNano: subtract(toleranceNano, gapNano) };
}

/** The check of one budget that applies to a call, in the period in which the call is admitted. */
export interface Check {
  /** `namespace/name`. */
  readonly budget: string;
  /** `namespace/name/every/zone/startMs`: the name of the period's counters; a re-created budget finds them again. */
  readonly counter: string;
  /** With `per`: the values as a JSON array; else null. */
  readonly value: string | null;
  /**
   * In a spanning budget: no tenant chooses the value. So it has a counter of its own however many values there are: in the
   * shared counters of workspaces it would have a limit for each workspace.
   */
  readonly valueIsFixed?: true;
  /** Of a budget for each session or agent: it may have as many counters as its whole namespace, as runs are many. */
  readonly valuesAreRuns?: true;
  /** The period, half-open, in milliseconds since the epoch. */
  readonly start: number;
  readonly end: number;
  readonly mode: CheckMode;
  /** The bound of the value's counter; without `per`, of the budget's only counter. */
  readonly bound: Bound;
  /** With `per` and `totalUsd`: the bound of the counter of all values together. */
  readonly total: Bound | null;
  /**
   * While a call of another workspace waits for a counter: the part of what is neither spent nor presumed of cap and
   * tolerance that this workspace may have in flight in it, in percent; the same for namespaces. Absent: all of it.
   */
  readonly workspaceReservePercent?: number;
}

/**
 * Why a counter has no room for a call. `waiting`: the call would fit once calls in flight settle. `tooLarge`: it would not,
 * but a call that costs what the counter's settled calls and one more cost on average would. `spent`: neither would.
 */
export type Verdict = 'waiting' | 'tooLarge' | 'spent';

/** A counter that had no room for the call. */
export interface Failure {
  /** Index into `checks`. */
  readonly check: number;
  /** Whether it is the counter of all values together. */
  readonly ofTotal: boolean;
  readonly verdict: Verdict;
  readonly spentNano: Nano;
  /** What is spent and what is presumed: waiting brings none of it back. */
  readonly certainNano: Nano;
  /** That, and what calls in flight have reserved. */
  readonly committedNano: Nano;
}
