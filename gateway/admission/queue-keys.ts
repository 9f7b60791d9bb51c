import type { Check, Failure } from '../../policy/core/counter-check.ts';
import { ZERO } from '../../policy/core/money.ts';
import type { WaitQueue } from './wait-queue.ts';

/** The wait queues of a call: one for each counter that it commits. */
export function queueKeysOf(checks: readonly Check[]): string[] {
  return checks.flatMap((check) =>
    check.value === null ? [queueKeyOf(check, true)] : [queueKeyOf(check, false), queueKeyOf(check, true)],
  );
}

/** The queue for the counter of a check's value, or for the counter of all its values together. */
function queueKeyOf(check: Check, ofTotal: boolean): string {
  return check.value === null || ofTotal ? check.counter : `${check.counter} ${check.value}`;
}

/** The queue for the counter that had no room. */
export function queueOfFailure(checks: readonly Check[], { check, ofTotal }: Failure): string {
  return queueKeyOf(checks[check]!, ofTotal);
}

/**
 * The first counter for which calls wait already, as the failure that a reserve would meet; null if there is none. A call
 * does not queue for a budget that it is exempt from.
 */
export function queuedFailure(checks: readonly Check[], waitQueue: Pick<WaitQueue, 'isQueued'>): Failure | null {
  for (const [check, one] of checks.entries()) {
    if (one.mode !== 'Enforce') continue;
    for (const ofTotal of [false, true]) {
      if (!waitQueue.isQueued(queueKeyOf(one, ofTotal))) continue;
      return { check, ofTotal, waiting: true, spentNano: ZERO, committedNano: ZERO };
    }
  }
  return null;
}
