import type { Check } from '../policy/counter.ts';

/** The lines of a call: one for each counter that it commits. */
export function linesOf(checks: readonly Check[]): string[] {
  return checks.flatMap((check) =>
    check.value === null ? [lineOf(check, true)] : [lineOf(check, false), lineOf(check, true)],
  );
}

/** The line for a check's value, or for what caps all its values together. */
export function lineOf(check: Check, ofTotal: boolean): string {
  return check.value === null || ofTotal ? check.counter : `${check.counter} ${check.value}`;
}
