import type { ClaudeBudget, ClaudeBudgetStatus } from '../../crds/types.gen.ts';
import { expireAt, valueExpireAt } from '../../ledger/durations.ts';
import type { CounterMinimum } from '../../ledger/operator-ledger.ts';
import { budgetPeriodAt } from '../../policy/core/budget-period.ts';
import { type CompiledBudget, type Every, type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import { isSharedValue } from '../../policy/core/counter-reading.ts';
import { add, max, MAX_CALL_NANO, type Nano, subtract, usdOrNull, ZERO } from '../../policy/core/money.ts';
import { type PeriodLookup, rfc3339 } from '../../policy/core/period.ts';

/** The minimums of all budgets in force, in their periods at `now` (milliseconds). */
export function allCounterMinimums(
  compiled: readonly CompiledBudget[],
  budgets: { get(ref: Ref): ClaudeBudget | undefined },
  statuses: { lastWritten(budget: ClaudeBudget): ClaudeBudgetStatus | undefined },
  now: number,
  periods?: PeriodLookup,
): readonly CounterMinimum[] {
  return compiled.flatMap((one) => {
    const budget = budgets.get(refOf(one));
    return budget === undefined ? [] : counterMinimums(one, statuses.lastWritten(budget), now, periods);
  });
}

/**
 * What the counters of a budget held at least when its status was written; with `per` also the counters of the values
 * that the status lists. Empty where the status is about another period than the one at `now` (milliseconds).
 */
export function counterMinimums(
  budget: CompiledBudget,
  status: ClaudeBudgetStatus | undefined,
  now: number,
  periods?: PeriodLookup,
): CounterMinimum[] {
  const { counter, start, end } = budgetPeriodAt(budget, now, periods);
  if (status?.period?.start !== rfc3339(start)) return [];
  const keepUntil = expireAt(end);
  const total: CounterMinimum = {
    counter,
    keepUntil,
    spentNano: settledIn(status),
    presumedNano: amountIn(status.presumedUsd),
    requests: countIn(status.requests),
  };
  const values = (status.top ?? []).flatMap(({ values, spentUsd }) =>
    valueCounters(budget, values).map((value) => ({
      counter: `${counter}#${value}`,
      keepUntil,
      spentNano: amountIn(spentUsd),
      presumedNano: ZERO,
      requests: 0,
    })),
  );
  return [total, ...values];
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** What a period of each kind lasts at most. Days have up to 25 hours, and two where a zone changes its date. Milliseconds. */
const LONGEST_MS: Readonly<Record<Every, number>> = {
  Hour: HOUR_MS,
  Day: 2 * DAY_MS,
  Week: 8 * DAY_MS,
  Month: 32 * DAY_MS,
  Quarter: 93 * DAY_MS,
  Year: 367 * DAY_MS,
  Once: Infinity,
};

/**
 * Without the counters of values that the ledger would have forgotten at `now` (milliseconds), and the others no longer
 * than it keeps them. The usage log keeps a value as long as the longest period of its calls; if all of these came back,
 * they would take the places of new values (docs/explanation/capacity.md).
 */
export function lastingMinimums(minimums: readonly CounterMinimum[], now: number): CounterMinimum[] {
  const kept = minimums.map((one) => ({ ...one, keepUntil: Math.min(one.keepUntil, valueKeptUntil(one.counter)) }));
  return kept.filter(({ keepUntil }) => keepUntil > now);
}

/** The counter is named `namespace/name/every/zone/startMs#value`. Infinity for a pool. */
function valueKeptUntil(counter: string): number {
  const mark = counter.indexOf('#');
  const parts = counter.slice(0, mark).split('/');
  const end = Number(parts.at(-1)) + (LONGEST_MS[parts[2] as Every] ?? Infinity);
  return mark < 0 || Number.isNaN(end) ? Infinity : valueExpireAt(expireAt(end));
}

/** Of an amount in a status: so many of them, and what calls in flight reserve, fit into a counter. Nano-dollars. */
const MAX_AMOUNT = MAX_CALL_NANO / 4n;
/** Of requests: doubles count them exactly. */
const MAX_REQUESTS = 1e15;

/**
 * A status can be edited by whoever may patch it, and a figure that no counter holds would stop the rebuild of all. It
 * counts as none: the usage log says what its own budget has spent.
 */
function amountIn(text: string | undefined): Nano {
  const amount = usdOrNull(text ?? '0') ?? ZERO;
  return amount <= MAX_AMOUNT ? amount : ZERO;
}

/** What the calls were settled at: the status says what is spent, and what people have taken out of that. */
function settledIn({ spentUsd, correctedUsd = '0' }: ClaudeBudgetStatus): Nano {
  const isAdded = correctedUsd.startsWith('-');
  const correctedNano = amountIn(isAdded ? correctedUsd.slice(1) : correctedUsd);
  const settledNano = isAdded ? subtract(amountIn(spentUsd), correctedNano) : add(amountIn(spentUsd), correctedNano);
  return max(ZERO, settledNano);
}

function countIn(count: number | undefined): number {
  return count !== undefined && Number.isInteger(count) && count >= 0 && count <= MAX_REQUESTS ? count : 0;
}

/**
 * The value counters that a row of a status may be about. A shared counter stands there by its own name, which with one
 * attribute in `per` may be a customer's name as well: then both are raised.
 */
function valueCounters({ per }: CompiledBudget, values: readonly string[]): string[] {
  const shared = values.length === 1 && isSharedValue(values[0]!) ? values : [];
  return values.length === per.length ? [JSON.stringify(values), ...shared] : [...shared];
}
