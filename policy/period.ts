import type { CompiledPeriod, Ref } from './compiled.ts';

/** A calendar period, half-open, in milliseconds since the epoch. */
export interface Period {
  readonly start: number;
  readonly end: number;
  /** False only before a `Once` begins: the budget does not govern yet, and does from `end` on. */
  readonly begun: boolean;
}

/** The period that an instant (milliseconds) lies in. Throws a RangeError for a time zone that `isTimeZone` denies. */
export function periodAt(period: CompiledPeriod, at: number): Period {
  throw new Error(String([period, at]));
}

/** `periodAt` for the hot path: remembers the last answer for each period and computes only outside it. */
export class Calendar {
  periodAt(period: CompiledPeriod, at: number): Period {
    return periodAt(period, at);
  }
}

/** True where the zone is one that this program knows. */
export function isTimeZone(zone: string): boolean {
  throw new Error(zone);
}

/** The name of a period's counters: `namespace/name/every/zone/startMs`. */
export function counterName(budget: Ref, period: CompiledPeriod, start: number): string {
  return `${budget}/${period.every}/${period.timeZone}/${start}`;
}
