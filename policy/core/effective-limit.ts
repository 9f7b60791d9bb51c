/** What a budget asks for at an instant: its period and counter, and what grants add to the limit. */

import { type CompiledBudget, refOf } from './compiled-policy.ts';
import type { Bound } from './counter-check.ts';
import { counterName, periodAt } from './period.ts';

/** The terms of a budget. Instants in milliseconds since the epoch, half-open. */
export interface EffectiveLimit {
  /** The name of the period's counters. */
  readonly counter: string;
  readonly start: number;
  readonly end: number;
  /** The instants between which all of this holds: the period, cut where a grant begins or ends. */
  readonly from: number;
  readonly until: number;
  /** What grants in force add to every cap. Nano-dollars. */
  readonly grantedNano: bigint;
  /** False before a budget for Once begins: it governs nothing yet. */
  readonly begun: boolean;
}

/** The terms of a budget at an instant (milliseconds). */
export function effectiveLimitAt(budget: CompiledBudget, at: number): EffectiveLimit {
  const { start, end, begun } = periodAt(budget.period, at);
  const inForce = budget.grants.filter((grant) => grant.from <= at && at < grant.until);
  const edges = budget.grants.flatMap((grant) => [grant.from, grant.until]);
  return {
    counter: counterName(refOf(budget), budget.period, start),
    start,
    end,
    from: Math.max(start, ...edges.filter((edge) => edge <= at)),
    until: Math.min(end, ...edges.filter((edge) => edge > at)),
    grantedNano: inForce.reduce((sum, grant) => sum + grant.amountNano, 0n),
    begun,
  };
}

/** What a counter of the budget must satisfy for a call to fit; `gapNano` as in a reservation. Nano-dollars. */
export function boundOf({ toleranceNano }: CompiledBudget, capNano: bigint, worstNano: bigint, gapNano = 0n): Bound {
  return { capNano, roomNano: capNano + toleranceNano - worstNano, gapRoomNano: toleranceNano - gapNano };
}
