import { type BudgetPeriod, budgetPeriodAt } from '../core/budget-period.ts';
import type { CompiledBudget } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import type { Counter, Reading } from '../core/counter-reading.ts';
import { add, formatUsd, type Nano, subtract, usdAtLeast, usdOrNull, ZERO } from '../core/money.ts';
import { END_OF_TIME, periodAt, type PeriodLookup, rfc3339 } from '../core/period.ts';
import { unpooled, valuesText } from '../refusals/budget-sentences.ts';
import { type CappedCounter, cappedCounters } from './capped-counters.ts';

/** What the last status of a budget says of a period in which it was spent. Amounts in USD. */
export interface LastStatus {
  readonly conditions?: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly observedGeneration?: number;
  }[];
  readonly period?: { readonly start: string };
  readonly limitUsd?: string;
  readonly spentUsd?: string;
  readonly presumedUsd?: string;
}

interface ExhaustedOptions {
  /** Whether callers share one limit in spite of `per`, because the budget has no total. */
  readonly isUnpooled?: boolean;
  readonly periods?: PeriodLookup;
  /** The status as last written. */
  readonly last?: LastStatus | undefined;
}

/**
 * The condition Exhausted: from the first call refused as spent until more money is there or the period ends. Small calls
 * that still fit move the mean by which the ledger calls a counter spent, so without the last status the finding may change
 * with every call.
 */
export function exhausted(
  budget: CompiledBudget,
  reading: Reading,
  now: number,
  { isUnpooled = false, periods = periodAt, last }: ExhaustedOptions = {},
): Finding<'Exhausted'> {
  const period = budgetPeriodAt(budget, now, periods);
  const until = period.end === END_OF_TIME ? 'It does not reset.' : `Resets at ${rfc3339(period.end)}.`;
  const limits = cappedCounters(budget, reading, period);
  const whole = limits.find(({ value }) => value === null);
  const kept = last === undefined ? null : keptReason(last, budget, reading.total, period);
  if (whole !== undefined && isExhausted(whole)) {
    return { reason: 'Spent', message: `${reached(whole)} ${until}` };
  }
  if (whole !== undefined && kept === 'Spent') return { reason: 'Spent', message: `${nearlyReached(whole)} ${until}` };
  const spent = spentValues(limits, reading);
  if (spent.count > 0) {
    return { reason: 'ValuesSpent', message: `${valuesSpent(budget.per, spent, reading, isUnpooled)} ${until}` };
  }
  if (kept === 'ValuesSpent') return { reason: 'ValuesSpent', message: `${VALUES_NEARLY_SPENT} ${until}` };
  return { reason: 'WithinLimit', message: withinLimit(reading) };
}

/** The reason for which the budget was exhausted in its last status, if no more money is there since; else null. */
function keptReason(
  last: LastStatus,
  budget: CompiledBudget,
  { certainNano }: Counter,
  { start, grantedNano }: BudgetPeriod,
): string | null {
  const before = last.conditions?.find(({ type }) => type === 'Exhausted');
  if (before?.status !== 'True' || last.period?.start !== rfc3339(start)) return null;
  // The limits of values and of their total are not in the status: any edit may have raised one.
  if (budget.per.length > 0 && budget.generation > (before.observedGeneration ?? 0)) return null;
  const isLimitHigher = add(budget.limitNano, grantedNano) > amountOf(last.limitUsd);
  const isSpendLower = certainNano < add(amountOf(last.spentUsd), amountOf(last.presumedUsd));
  return isLimitHigher || isSpendLower ? null : before.reason;
}

/** Anybody with the right to may have written a status: what is no amount counts as nothing. */
function amountOf(usd = ''): Nano {
  return usdOrNull(usd) ?? ZERO;
}

/** Presumed money may fill a budget of which no call was refused yet. */
function withinLimit({ total: { spentNano, certainNano } }: Reading): string {
  const limit = 'The limit is not reached.';
  const presumedNano = subtract(certainNano, spentNano);
  if (presumedNano === 0n) return limit;
  return `${limit} $${usdAtLeast(presumedNano)} is presumed for calls whose cost is not known, and no other call can spend it: see docs/how-to/resolve-presumed.md.`;
}

/** If the limit is not reached, presumed money fills it, or a call was refused because less is left than calls cost. */
function reached({ counter, capNano }: CappedCounter): string {
  const limit = `The limit of $${formatUsd(capNano)}`;
  const { spentNano, certainNano } = counter;
  if (spentNano >= capNano) return `${limit} is reached.`;
  const presumedNano = subtract(certainNano, spentNano);
  if (presumedNano > 0n) {
    const amounts = `$${usdAtLeast(spentNano)} is spent, and $${usdAtLeast(presumedNano)} is presumed for calls whose cost is not known`;
    return `${limit} has no room: ${amounts}. Resolve it as docs/how-to/resolve-presumed.md says.`;
  }
  return `${limit} has $${usdAtLeast(subtract(capNano, spentNano))} left, less than its calls cost on average.`;
}

const VALUES_NEARLY_SPENT = 'Values of spec.per are all but spent: small calls may still fit.';

/** Calls were refused as spent, and the last one was admitted: it was small enough. */
function nearlyReached(whole: CappedCounter): string {
  const leftNano = subtract(whole.capNano, whole.counter.certainNano);
  if (leftNano <= 0n) return reached(whole);
  return `The limit of $${formatUsd(whole.capNano)} is all but spent: $${usdAtLeast(leftNano)} is left, and small calls may still fit.`;
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
