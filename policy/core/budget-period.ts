import { type BudgetMode, type CompiledBudget, refOf } from './compiled-policy.ts';
import { type Nano, sum } from './money.ts';
import { counterName, END_OF_TIME, periodAt, type PeriodLookup } from './period.ts';

/** The period of a budget at an instant. Instants in milliseconds since the epoch; intervals are half-open. */
export interface BudgetPeriod {
  /** The name of the period's counters. */
  readonly counter: string;
  readonly start: number;
  readonly end: number;
  /** The interval in which all of this holds: the period, cut where a grant begins or ends, or where observing does. */
  readonly from: number;
  readonly until: number;
  /** The sum of the grants in force, which raises every cap. Nano-dollars. */
  readonly grantedNano: Nano;
  readonly mode: BudgetMode;
  /** False before the start of a budget with period Once: it applies to no call yet. */
  readonly begun: boolean;
}

/** The period of a budget at an instant (milliseconds). */
export function budgetPeriodAt(budget: CompiledBudget, at: number, periods: PeriodLookup = periodAt): BudgetPeriod {
  const { start, end, begun } = periods(budget.period, at);
  const inForce = budget.grants.filter((grant) => grant.from <= at && at < grant.until);
  const edges = [enforcedFrom(budget), ...budget.grants.flatMap((grant) => [grant.from, grant.until])];
  return {
    counter: counterName(refOf(budget), budget.period, start),
    start,
    end,
    from: Math.max(start, ...edges.filter((edge) => edge <= at)),
    until: Math.min(end, ...edges.filter((edge) => edge > at)),
    grantedNano: sum(inForce.map(({ amountNano }) => amountNano)),
    mode: modeAt(budget, at),
    begun,
  };
}

/** Whether a budget is enforced at an instant (milliseconds), or only observes. */
export function modeAt(budget: ObservingTime, at: number): BudgetMode {
  return at < enforcedFrom(budget) ? 'Observe' : 'Enforce';
}

/** The instant from which a budget is enforced, in milliseconds; `END_OF_TIME` for one that observes without an end. */
export function enforcedFrom({ mode, observeUntil = END_OF_TIME }: ObservingTime): number {
  return mode === 'Observe' ? observeUntil : 0;
}

type ObservingTime = Pick<CompiledBudget, 'mode' | 'observeUntil'>;
