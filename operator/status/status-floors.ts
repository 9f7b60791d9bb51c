/** What the statuses still know of the counters. Pure. */

import type { ClaudeBudgetStatus } from '../../crds/types.gen.ts';
import { expireAt } from '../../ledger/keys.ts';
import type { CounterMinimum } from '../../ledger/ledger.ts';
import type { CompiledBudget } from '../../policy/core/compiled-policy.ts';
import { REST } from '../../policy/core/counter-reading.ts';
import { effectiveLimitAt } from '../../policy/core/effective-limit.ts';
import { parseUsd } from '../../policy/core/money.ts';
import type { PeriodLookup } from '../../policy/core/period.ts';
import { rfc3339 } from '../../policy/core/time.ts';

/**
 * What the counters of a budget held at least when its status was written: none where that was in another period than
 * the one at `now` (milliseconds). With `per` also those of the values that the status lists.
 */
export function statusFloors(
  budget: CompiledBudget,
  status: ClaudeBudgetStatus | undefined,
  now: number,
  periods?: PeriodLookup,
): CounterMinimum[] {
  const { counter, start, end } = effectiveLimitAt(budget, now, periods);
  if (status?.period?.start !== rfc3339(start)) return [];
  const keepUntil = expireAt(end);
  const whole: CounterMinimum = {
    counter,
    keepUntil,
    spentNano: parseUsd(status.spentUsd ?? '0'),
    presumedNano: parseUsd(status.presumedUsd ?? '0'),
    requests: status.requests ?? 0,
  };
  const values = (status.top ?? []).map(({ values, spentUsd }) => ({
    // The counter that the values past the largest number share has a name that is no list.
    counter: `${counter}#${values[0] === REST ? REST : JSON.stringify(values)}`,
    keepUntil,
    spentNano: parseUsd(spentUsd),
    presumedNano: 0n,
    requests: 0,
  }));
  return [whole, ...values];
}
