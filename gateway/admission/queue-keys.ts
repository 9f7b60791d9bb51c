import type { Check } from '../../policy/core/counter-check.ts';

/** The wait queues of a call: one for each counter that it commits. */
export function queueKeysOf(checks: readonly Check[]): string[] {
  return checks.flatMap((check) =>
    check.value === null ? [queueKeyOf(check, true)] : [queueKeyOf(check, false), queueKeyOf(check, true)],
  );
}

/** The queue for the counter of a check's value, or for the counter of all its values together. */
export function queueKeyOf(check: Check, ofTotal: boolean): string {
  return check.value === null || ofTotal ? check.counter : `${check.counter} ${check.value}`;
}
