import { type BudgetPeriod, budgetPeriodAt } from '../core/budget-period.ts';
import type { CompiledBudget, Ref } from '../core/compiled-policy.ts';
import {
  isSharedValue,
  type Reading,
  type ReadingQuery,
  SHARED_VALUE,
  sharedValueOf,
} from '../core/counter-reading.ts';
import { add, formatCents, formatUsd, max, percentUsed, subtract, ZERO } from '../core/money.ts';
import { END_OF_TIME, periodAt, type PeriodLookup, rfc3339 } from '../core/period.ts';
import { type BudgetState, stateInForce } from './budget-state.ts';
import { type CappedCounter, cappedCounters, EMPTY, fullestOf } from './capped-counters.ts';
import { exhausted, type LastStatus } from './exhaustion.ts';

/** The fields of a budget's status. Money in USD: exact with 2 to 9 decimals; `remainingUsd` is truncated to cents. */
export interface BudgetFigures {
  readonly state: BudgetState;
  /** RFC 3339, half-open; `end` is absent for a period that never ends. */
  readonly period: { readonly start: string; readonly end?: string };
  /** With grants. With `per`: of each value without an override. */
  readonly limitUsd: string;
  /** With `per`: of all values together. */
  readonly spentUsd: string;
  /** Reserved beyond what is spent: for calls in flight, and presumed. */
  readonly reservedUsd: string;
  readonly presumedUsd: string;
  /** What people have taken out of `spentUsd` by correcting calls; negative if they added to it. */
  readonly correctedUsd: string;
  /** With `per`: of the fullest counter. */
  readonly remainingUsd: string;
  /** Rounded up. With `per`: of the fullest counter. */
  readonly percentUsed: number;
  /** `percentUsed` for display, such as "82%". */
  readonly used: string;
  readonly requests: number;
  readonly refused: number;
  readonly wouldRefuse: number;
  /** The worst case of the call that was last too large for what is left, or in mode Observe would have been. */
  readonly largestCallUsd?: string;
  /** With `per`: the values with the highest spend. */
  readonly top?: readonly TopValue[];
  /** The fullest counter, whose limit and spend `percentUsed` compares; without `per` the only one. */
  readonly fullest: {
    /** Absent for the counter of all calls. */
    readonly values?: readonly string[];
    readonly limitUsd: string;
    readonly spentUsd: string;
  };
}

interface TopValue {
  readonly values: readonly string[];
  readonly spentUsd: string;
  readonly limitUsd: string;
  readonly percentUsed: number;
}

const TOP = 10;

/** How figures are computed; the defaults are those of the status. */
export interface FiguresOptions {
  /** With `per`: the number of values with the highest spend. */
  readonly top?: number;
  /** The workspace whose values are read; the default is the only one of a budget that names it. */
  readonly workspace?: Ref;
  readonly periods?: PeriodLookup;
  /** The status as last written, by which a spent budget stays spent; without it `state` is what the ledger says now. */
  readonly last?: LastStatus | undefined;
}

/** The counters that `budgetFigures` needs at `now` (milliseconds). */
export function budgetFiguresQuery(
  budget: CompiledBudget,
  now: number,
  { top = TOP, workspace, periods = periodAt }: FiguresOptions = {},
): ReadingQuery {
  const { counter } = budgetPeriodAt(budget, now, periods);
  return {
    counter,
    per: budget.per.length > 0,
    top,
    // A value with its own limit may be the fullest without having the highest spend.
    also: budget.overrides.map(({ values }) => JSON.stringify(values)),
    sharedValue: workspace === undefined ? SHARED_VALUE : sharedValueOf(counter, workspace),
  };
}

/** The figures of a budget, from the answer to `budgetFiguresQuery` with the same options. */
export function budgetFigures(
  budget: CompiledBudget,
  reading: Reading,
  now: number,
  { top = TOP, periods = periodAt, last }: FiguresOptions = {},
): BudgetFigures {
  const period = budgetPeriodAt(budget, now, periods);
  const { total } = reading;
  const fullest = fullestOf(cappedCounters(budget, reading, period));
  const percent = percentUsed(fullest.counter.spentNano, fullest.capNano);
  const leftNano = subtract(fullest.capNano, fullest.counter.committedNano);
  return {
    state: stateInForce(budget, period.mode, exhausted(budget, reading, now, { periods, last }), percent),
    period: periodOf(period),
    limitUsd: formatUsd(add(budget.limitNano, period.grantedNano)),
    spentUsd: formatUsd(total.spentNano),
    reservedUsd: formatUsd(subtract(total.committedNano, total.spentNano)),
    presumedUsd: formatUsd(subtract(total.certainNano, total.spentNano)),
    correctedUsd: formatUsd(total.correctedNano),
    remainingUsd: formatCents(max(leftNano, ZERO)),
    percentUsed: percent,
    used: `${percent}%`,
    requests: total.requests,
    refused: total.refused,
    wouldRefuse: total.wouldRefuse,
    ...(total.tooLargeNano === null ? {} : { largestCallUsd: formatUsd(total.tooLargeNano) }),
    ...(budget.per.length > 0 ? { top: topOf(budget, reading, period, top) } : {}),
    fullest: {
      ...(fullest.value === null || fullest.counter === EMPTY ? {} : { values: valuesOf(fullest.value) }),
      limitUsd: formatUsd(fullest.capNano),
      spentUsd: formatUsd(fullest.counter.spentNano),
    },
  };
}

/**
 * The counter that is fullest by its share of the cap; with `per`, among the values that were read and the total. A value
 * with a limit of 0 is full.
 */
export function fullestCounter(
  budget: CompiledBudget,
  reading: Reading,
  now: number,
  periods: PeriodLookup = periodAt,
): Pick<CappedCounter, 'counter' | 'capNano'> {
  return fullestOf(cappedCounters(budget, reading, budgetPeriodAt(budget, now, periods), { withBlocked: true }));
}

function periodOf({ start, end }: BudgetPeriod): BudgetFigures['period'] {
  return end === END_OF_TIME ? { start: rfc3339(start) } : { start: rfc3339(start), end: rfc3339(end) };
}

function topOf(budget: CompiledBudget, reading: Reading, period: BudgetPeriod, top: number): readonly TopValue[] {
  const order = ({ counter: { spentNano: a } }: CappedCounter, { counter: { spentNano: b } }: CappedCounter): number =>
    a < b ? 1 : a > b ? -1 : 0;
  return cappedCounters(budget, reading, period, { withBlocked: true })
    .flatMap(({ value, counter, ...rest }) =>
      value === null || counter === EMPTY ? [] : [{ value, counter, ...rest }],
    )
    .toSorted(order)
    .slice(0, top)
    .map(({ value, counter: { spentNano }, capNano }) => ({
      values: valuesOf(value),
      spentUsd: formatUsd(spentNano),
      limitUsd: formatUsd(capNano),
      percentUsed: percentUsed(spentNano, capNano),
    }));
}

function valuesOf(value: string): readonly string[] {
  return isSharedValue(value) ? [value] : (JSON.parse(value) as string[]);
}
