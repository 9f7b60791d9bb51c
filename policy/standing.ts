/** Where a budget stands: what the ledger's counters mean for a person who reads status. */

import type { CompiledBudget } from './compiled.ts';
import type { Finding } from './conditions.ts';
import type { Reading } from './counter.ts';

/** For display only. */
export type StandingState = 'OK' | 'Warning' | 'Restricted' | 'Spent' | 'Observing';

/** The fields of a budget's status. Money in USD: exact with 2 to 9 decimals, what remains cut to cents. */
export interface Standing {
  readonly state: StandingState;
  /** RFC 3339, half-open; `end` is absent for a period that never ends. */
  readonly period: { readonly start: string; readonly end?: string };
  /** With grants. With `per`: of each value without an override. */
  readonly limitUsd: string;
  /** With `per`: of all values together. */
  readonly spentUsd: string;
  /** What is held beyond what is spent: calls in flight, and what is presumed. */
  readonly reservedUsd: string;
  readonly presumedUsd: string;
  /** With `per`: of the fullest counter. */
  readonly remainingUsd: string;
  /** Rounded up. With `per`: of the fullest counter. */
  readonly percentUsed: number;
  readonly requests: number;
  readonly refused: number;
  readonly wouldRefuse: number;
  /** With `per`: the ten dearest values. */
  readonly top?: readonly { readonly values: readonly string[]; readonly spentUsd: string }[];
}

/** Which counter to read, in the shape of the ledger's `ReadingQuery`. */
export interface StandingQuery {
  readonly counter: string;
  readonly per: boolean;
  readonly top: number;
  /** The values with a limit of their own, which may be the fullest without being the dearest. */
  readonly also: readonly string[];
}

/** What to read from the ledger to tell where `budget` stands at `now` (milliseconds). */
export function standingQuery(budget: CompiledBudget, now: number): StandingQuery {
  throw new Error(String([budget, now]));
}

/** The status of a budget from the answer to `standingQuery`. */
export function standing(budget: CompiledBudget, reading: Reading, now: number): Standing {
  throw new Error(String([budget, reading, now]));
}

/** The condition Exhausted: from the first call refused as spent until one is admitted, the limit rises or the period ends. */
export function exhausted(budget: CompiledBudget, reading: Reading, now: number): Finding<'Exhausted'> {
  throw new Error(String([budget, reading, now]));
}
