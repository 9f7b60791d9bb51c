/** Where a budget stands: what the ledger's counters mean for a person who reads status. */

import type { CompiledBudget } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import { type Counter, type Reading, type ReadingQuery, REST, type ValueCounter } from '../core/counter-check.ts';
import { type EffectiveLimit, effectiveLimitAt } from '../core/effective-limit.ts';
import { formatCents, formatUsd, percentUsed } from '../core/money.ts';
import { END_OF_TIME } from '../core/period.ts';
import { valuesText } from '../core/refusal-sentences.ts';
import { rfc3339 } from '../core/time.ts';

/** For display only. Restricted: some calls are refused, for a value of `per` that is spent, or by `suspend`. */
export type BudgetState = 'OK' | 'Warning' | 'Restricted' | 'Spent' | 'Observing';

/** The fields of a budget's status. Money in USD: exact with 2 to 9 decimals, what remains cut to cents. */
export interface BudgetFigures {
  readonly state: BudgetState;
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
  /** `percentUsed` for display, such as "82%". */
  readonly used: string;
  readonly requests: number;
  readonly refused: number;
  readonly wouldRefuse: number;
  /** With `per`: the dearest values. */
  readonly top?: readonly { readonly values: readonly string[]; readonly spentUsd: string }[];
}

const TOP = 10;
const WARNING_PERCENT = 80;

/**
 * What to read from the ledger to tell where `budget` stands at `now` (milliseconds); with `per` the `top` dearest
 * values, for status ten.
 */
export function budgetFiguresQuery(budget: CompiledBudget, now: number, top = TOP): ReadingQuery {
  return {
    counter: effectiveLimitAt(budget, now).counter,
    per: budget.per.length > 0,
    top,
    // Values with a limit of their own may be the fullest without being the dearest.
    also: budget.overrides.map(({ values }) => JSON.stringify(values)),
  };
}

/** The status of a budget from the answer to `standingQuery`, asked with the same `top`. */
export function budgetFigures(budget: CompiledBudget, reading: Reading, now: number, top = TOP): BudgetFigures {
  const terms = effectiveLimitAt(budget, now);
  const { total } = reading;
  const fullest = fullestOf(measured(budget, reading, terms));
  const percent = percentUsed(fullest.counter.spentNano, fullest.capNano);
  const left = fullest.capNano - fullest.counter.committedNano;
  return {
    state: stateOf(budget, exhausted(budget, reading, now), percent),
    period: periodOf(terms),
    limitUsd: formatUsd(budget.limitNano + terms.grantedNano),
    spentUsd: formatUsd(total.spentNano),
    reservedUsd: formatUsd(total.committedNano - total.spentNano),
    presumedUsd: formatUsd(total.certainNano - total.spentNano),
    remainingUsd: formatCents(left > 0n ? left : 0n),
    percentUsed: percent,
    used: `${percent}%`,
    requests: total.requests,
    refused: total.refused,
    wouldRefuse: total.wouldRefuse,
    ...(budget.per.length > 0 ? { top: topOf(reading.values, top) } : {}),
  };
}

/** The condition Exhausted: from the first call refused as spent until one is admitted, the limit rises or the period ends. */
export function exhausted(budget: CompiledBudget, reading: Reading, now: number): Finding<'Exhausted'> {
  const terms = effectiveLimitAt(budget, now);
  const until = terms.end === END_OF_TIME ? 'It does not reset.' : `Resets at ${rfc3339(terms.end)}.`;
  const limits = measured(budget, reading, terms);
  const whole = limits.find(({ value }) => value === null);
  if (whole !== undefined && isExhausted(whole)) {
    return { reason: 'Spent', message: `${reached(whole)} ${until}` };
  }
  const spent = spentValues(limits, reading);
  if (spent.count === 0) return { reason: 'WithinLimit', message: 'The budget has money left.' };
  const named = spent.named.length === 0 ? '' : `, such as ${spent.named.join(', ')}`;
  const message = `${spent.count} of ${reading.valueCount} values of spec.per are spent${named}. ${until}`;
  return { reason: 'ValuesSpent', message };
}

/** A counter with the cap that it is held to. */
interface Measured {
  /** Null for the pool, or for all values together. */
  readonly value: string | null;
  readonly counter: Counter;
  readonly capNano: bigint;
}

function measured(budget: CompiledBudget, reading: Reading, { grantedNano }: EffectiveLimit): readonly Measured[] {
  if (budget.per.length === 0)
    return [{ value: null, counter: reading.total, capNano: budget.limitNano + grantedNano }];
  const overrides = new Map(budget.overrides.map(({ values, limitNano }) => [JSON.stringify(values), limitNano]));
  const values = reading.values
    .map((counter) => ({
      value: counter.value,
      counter,
      capNano: (overrides.get(counter.value) ?? budget.limitNano) + grantedNano,
    }))
    // Who may spend nothing is shut out on purpose; that is no news of the budget.
    .filter(({ capNano }) => capNano > 0n);
  if (budget.totalNano !== undefined) {
    return [{ value: null, counter: reading.total, capNano: budget.totalNano + grantedNano }, ...values];
  }
  return values.length > 0 ? values : [{ value: '[]', counter: EMPTY, capNano: budget.limitNano + grantedNano }];
}

/** Stands for every value while none was counted. */
const EMPTY: Counter = {
  spentNano: 0n,
  certainNano: 0n,
  committedNano: 0n,
  requests: 0,
  refused: 0,
  wouldRefuse: 0,
  exhaustedAtNano: null,
};

function fullestOf(limits: readonly Measured[]): Pick<Measured, 'counter' | 'capNano'> {
  return limits.reduce((fullest, next) => (isFuller(next, fullest) ? next : fullest));
}

/** By share of the cap, compared without dividing. */
function isFuller(a: Measured, b: Measured): boolean {
  return a.counter.spentNano * b.capNano > b.counter.spentNano * a.capNano;
}

/** A call that was refused may have been too dear for all that is left, or for all that there ever was. */
function reached({ counter, capNano }: Measured): string {
  const limit = `The limit of $${formatUsd(capNano)}`;
  return counter.spentNano >= capNano
    ? `${limit} is reached.`
    : `${limit} has less left than one call may cost. Lower max_tokens (guards.maxOutputTokens of the workspace) or set limit.toleranceUsd.`;
}

function isExhausted({ counter, capNano }: Measured): boolean {
  return counter.spentNano >= capNano || (counter.exhaustedAtNano !== null && capNano <= counter.exhaustedAtNano);
}

/**
 * How many values are spent. Those that were read are compared with their present caps; of the others only the ledger's
 * mark is known, which is left out once a mark that was read turns out to be older than a raise of the limit.
 */
function spentValues(limits: readonly Measured[], reading: Reading): { count: number; named: readonly string[] } {
  const spent = limits.filter((limit) => limit.value !== null && isExhausted(limit));
  const marked = limits.filter(({ value, counter }) => value !== null && counter.exhaustedAtNano !== null);
  const raised = marked.some((limit) => !isExhausted(limit));
  const read = reading.values.filter(({ exhaustedAtNano }) => exhaustedAtNano !== null).length;
  const unread = raised ? 0 : Math.max(0, reading.exhaustedCount - read);
  return { count: spent.length + unread, named: spent.slice(0, 3).map(({ value }) => valuesText(value ?? '')) };
}

function stateOf(budget: CompiledBudget, finding: Finding<'Exhausted'>, percent: number): BudgetState {
  if (budget.mode === 'Observe') return budget.suspend ? 'Restricted' : 'Observing';
  if (finding.reason === 'Spent') return 'Spent';
  if (finding.reason === 'ValuesSpent' || budget.suspend) return 'Restricted';
  return percent >= WARNING_PERCENT ? 'Warning' : 'OK';
}

function periodOf({ start, end }: EffectiveLimit): BudgetFigures['period'] {
  return end === END_OF_TIME ? { start: rfc3339(start) } : { start: rfc3339(start), end: rfc3339(end) };
}

function topOf(values: readonly ValueCounter[], top: number): NonNullable<BudgetFigures['top']> {
  return values
    .toSorted((a, b) => (a.spentNano < b.spentNano ? 1 : a.spentNano > b.spentNano ? -1 : 0))
    .slice(0, top)
    .map(({ value, spentNano }) => ({
      values: value === REST ? [REST] : (JSON.parse(value) as string[]),
      spentUsd: formatUsd(spentNano),
    }));
}
