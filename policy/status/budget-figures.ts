import { type BudgetPeriod, budgetPeriodAt } from '../core/budget-period.ts';
import type { CompiledBudget, Ref } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import {
  type Counter,
  isSharedValue,
  type Reading,
  type ReadingQuery,
  SHARED_VALUE,
  sharedValueOf,
} from '../core/counter-reading.ts';
import { add, formatCents, formatUsd, max, type Nano, percentUsed, subtract, ZERO } from '../core/money.ts';
import { END_OF_TIME, periodAt, type PeriodLookup, rfc3339 } from '../core/period.ts';
import { unpooled, valuesText } from '../refusals/budget-sentences.ts';
import { type BudgetState, stateInForce } from './budget-state.ts';

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
  { top = TOP, periods = periodAt }: FiguresOptions = {},
): BudgetFigures {
  const period = budgetPeriodAt(budget, now, periods);
  const { total } = reading;
  const fullest = fullestOf(cappedCounters(budget, reading, period));
  const percent = percentUsed(fullest.counter.spentNano, fullest.capNano);
  const leftNano = subtract(fullest.capNano, fullest.counter.committedNano);
  return {
    state: stateInForce(budget, period.mode, exhausted(budget, reading, now, { periods }), percent),
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

interface ExhaustedOptions {
  /** Whether callers share one limit in spite of `per`, because the budget has no total. */
  readonly isUnpooled?: boolean;
  readonly periods?: PeriodLookup;
}

/** The condition Exhausted: from the first call refused as spent until one is admitted, the limit rises or the period ends. */
export function exhausted(
  budget: CompiledBudget,
  reading: Reading,
  now: number,
  { isUnpooled = false, periods = periodAt }: ExhaustedOptions = {},
): Finding<'Exhausted'> {
  const period = budgetPeriodAt(budget, now, periods);
  const until = period.end === END_OF_TIME ? 'It does not reset.' : `Resets at ${rfc3339(period.end)}.`;
  const limits = cappedCounters(budget, reading, period);
  const whole = limits.find(({ value }) => value === null);
  if (whole !== undefined && isExhausted(whole)) {
    return { reason: 'Spent', message: `${reached(whole)} ${until}` };
  }
  const spent = spentValues(limits, reading);
  if (spent.count === 0) return { reason: 'WithinLimit', message: withinLimit(reading) };
  return { reason: 'ValuesSpent', message: `${valuesSpent(budget.per, spent, reading, isUnpooled)} ${until}` };
}

interface CappedCounter {
  /** Null for the counter of all calls. */
  readonly value: string | null;
  readonly counter: Counter;
  readonly capNano: Nano;
}

function cappedCounters(
  budget: CompiledBudget,
  reading: Reading,
  { grantedNano }: BudgetPeriod,
  { withBlocked = false } = {},
): readonly CappedCounter[] {
  const capOf = (limitNano: Nano): Nano => add(limitNano, grantedNano);
  if (budget.per.length === 0) return [{ value: null, counter: reading.total, capNano: capOf(budget.limitNano) }];
  const overrides = new Map(budget.overrides.map(({ values, limitNano }) => [JSON.stringify(values), limitNano]));
  const values = reading.values
    .map((counter) => {
      return { value: counter.value, counter, capNano: capOf(overrides.get(counter.value) ?? budget.limitNano) };
    })
    // A value with a limit of 0 is blocked on purpose, which does not make the budget exhausted.
    .filter(({ capNano }) => withBlocked || capNano > 0n);
  if (budget.totalNano !== undefined) {
    return [{ value: null, counter: reading.total, capNano: capOf(budget.totalNano) }, ...values];
  }
  return values.length > 0 ? values : [{ value: '[]', counter: EMPTY, capNano: capOf(budget.limitNano) }];
}

/** Represents every value before the first one is counted. */
const EMPTY: Counter = {
  spentNano: ZERO,
  correctedNano: ZERO,
  certainNano: ZERO,
  committedNano: ZERO,
  requests: 0,
  refused: 0,
  wouldRefuse: 0,
  exhaustedAtNano: null,
  tooLargeNano: null,
};

function fullestOf(limits: readonly CappedCounter[]): CappedCounter {
  return limits.reduce((fullest, next) => (isFuller(next, fullest) ? next : fullest));
}

/** Compares shares of the caps, without division. */
function isFuller(a: CappedCounter, b: CappedCounter): boolean {
  return a.counter.spentNano * b.capNano > b.counter.spentNano * a.capNano;
}

/** Presumed money may fill a budget of which no call was refused yet. */
function withinLimit({ total: { spentNano, certainNano } }: Reading): string {
  const limit = 'The limit is not reached.';
  const presumedNano = subtract(certainNano, spentNano);
  if (presumedNano === 0n) return limit;
  return `${limit} $${formatUsd(presumedNano)} is presumed for calls whose cost is not known, and no other call can spend it: see docs/how-to/resolve-presumed.md.`;
}

/** If the limit is not reached, presumed money fills it, or a call was refused because less is left than calls cost. */
function reached({ counter, capNano }: CappedCounter): string {
  const limit = `The limit of $${formatUsd(capNano)}`;
  const { spentNano, certainNano } = counter;
  if (spentNano >= capNano) return `${limit} is reached.`;
  const presumedNano = subtract(certainNano, spentNano);
  if (presumedNano > 0n) {
    const amounts = `$${formatUsd(spentNano)} is spent, and $${formatUsd(presumedNano)} is presumed for calls whose cost is not known`;
    return `${limit} has no room: ${amounts}. Resolve it as docs/how-to/resolve-presumed.md says.`;
  }
  return `${limit} has $${formatUsd(subtract(capNano, spentNano))} left, less than its calls cost on average.`;
}

function isExhausted({ counter, capNano }: CappedCounter): boolean {
  return counter.spentNano >= capNano || (counter.exhaustedAtNano !== null && capNano <= counter.exhaustedAtNano);
}

/**
 * The number of spent values. A value that was read is compared with its present cap. Of the others only the number of
 * marks is known, which is left out if a mark that was read is outdated, because the limit was raised since.
 */
function spentValues(limits: readonly CappedCounter[], reading: Reading): SpentValues {
  const spent = limits.filter((limit) => limit.value !== null && isExhausted(limit));
  const marked = limits.filter(({ value, counter }) => value !== null && counter.exhaustedAtNano !== null);
  const raised = marked.some((limit) => !isExhausted(limit));
  const read = reading.values.filter(({ exhaustedAtNano }) => exhaustedAtNano !== null).length;
  const unread = raised ? 0 : Math.max(0, reading.exhaustedCount - read);
  return { count: spent.length + unread, read: spent };
}

interface SpentValues {
  readonly count: number;
  readonly read: readonly CappedCounter[];
}

function valuesSpent(per: readonly string[], spent: SpentValues, reading: Reading, isUnpooled: boolean): string {
  const textOf = ({ value }: CappedCounter): string => valuesText(value ?? '', per, isUnpooled);
  const named = spent.read.length === 0 ? '' : `, such as ${spent.read.slice(0, 3).map(textOf).join(', ')}`;
  const sentence = `${spent.count} of ${reading.valueCount} values of spec.per are spent${named}.`;
  if (!isUnpooled) return sentence;
  const [first] = spent.read;
  const isOnly = reading.valueCount === 1 && first?.value === JSON.stringify(per.map(() => ''));
  return `${isOnly ? reached(first) : sentence} ${unpooled(per)}`;
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
