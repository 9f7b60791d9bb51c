/**
 * Calendar periods: half-open, aligned to the wall clock of a time zone, without gap or overlap through clock changes.
 * Days last 23 to 25 hours, and a day that a zone skipped does not exist.
 */

import { Temporal } from 'temporal-polyfill';
import type { CompiledPeriod, Every, Ref } from './compiled-policy.ts';

/** The end of a period that never ends: the last instant of a Date, in milliseconds since the epoch; exact in a double. */
export const END_OF_TIME = 8_640_000_000_000_000;

/** A calendar period, half-open, in milliseconds since the epoch. */
export interface Period {
  readonly start: number;
  readonly end: number;
  /** False only before the start of a `Once`: the budget applies from `end` on. */
  readonly begun: boolean;
}

/** Finds the period that contains an instant (milliseconds): `periodAt`, or the `at` of a `PeriodCache`. */
export type PeriodLookup = (period: CompiledPeriod, at: number) => Period;

/** `periodAt` with a memory: thousands of budgets have the same few periods, and each costs calendar arithmetic. */
export class PeriodCache {
  readonly #last = new Map<string, Period>();

  readonly at: PeriodLookup = (period, at) => {
    if (period.every === 'Once') return periodAt(period, at);
    const name = `${period.every} ${period.timeZone}`;
    const last = this.#last.get(name);
    if (last !== undefined && last.start <= at && at < last.end) return last;
    const current = periodAt(period, at);
    this.#last.set(name, current);
    return current;
  };
}

/** The period that contains an instant (milliseconds). Throws a RangeError for a time zone that `isTimeZone` denies. */
export function periodAt({ every, timeZone, start }: CompiledPeriod, at: number): Period {
  if (every === 'Once') return once(start ?? 0, at);
  if (every === 'Hour') return hourAt(timeZone, at);
  return unitAt(CALENDAR[every], timeZone, at);
}

/** Whether this program knows the time zone. */
export function isTimeZone(zone: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone);
    return true;
  } catch {
    return false;
  }
}

/** The name of a period's counters: `namespace/name/every/zone/startMs`. */
export function counterName(budget: Ref, period: CompiledPeriod, start: number): string {
  return `${budget}/${period.every}/${period.timeZone}/${start}`;
}

function once(start: number, at: number): Period {
  return at < start ? { start: 0, end: start, begun: false } : { start, end: END_OF_TIME, begun: true };
}

const HOUR = 3_600_000;

/** An hour of the wall clock, cut at clock changes: an hour that occurs twice is two periods. */
function hourAt(zone: string, at: number): Period {
  const now = zoned(zone, at);
  const offset = now.offsetNanoseconds / 1e6;
  const hour = Math.floor((at + offset) / HOUR) * HOUR - offset;
  // The transition at or before `at`; the polyfill searches strictly before.
  const jump = zoned(zone, at + 1).getTimeZoneTransition('previous');
  const next = now.getTimeZoneTransition('next');
  return {
    start: Math.max(hour, jump?.epochMilliseconds ?? hour),
    end: Math.min(hour + HOUR, next?.epochMilliseconds ?? END_OF_TIME),
    begun: true,
  };
}

interface CalendarUnit {
  /** The first day of the unit that contains a day. */
  readonly first: (day: Temporal.PlainDate) => Temporal.PlainDate;
  readonly length: Temporal.DurationLike;
}

const CALENDAR: Readonly<Record<Exclude<Every, 'Once' | 'Hour'>, CalendarUnit>> = {
  Day: { first: (day) => day, length: { days: 1 } },
  Week: { first: (day) => day.subtract({ days: day.dayOfWeek - 1 }), length: { weeks: 1 } },
  Month: { first: (day) => day.with({ day: 1 }), length: { months: 1 } },
  Quarter: { first: (day) => day.with({ day: 1, month: day.month - ((day.month - 1) % 3) }), length: { months: 3 } },
  Year: { first: (day) => day.with({ day: 1, month: 1 }), length: { years: 1 } },
};

function unitAt({ first, length }: CalendarUnit, zone: string, at: number): Period {
  let day = first(zoned(zone, at).toPlainDate());
  let next = day.add(length);
  // If clocks go back over midnight, minutes of the old day occur after the new one began; they count to the new one.
  while (startOf(next, zone) <= at) [day, next] = [next, next.add(length)];
  return { start: startOf(day, zone), end: startOf(next, zone), begun: true };
}

function startOf(day: Temporal.PlainDate, zone: string): number {
  return day.toZonedDateTime(zone).epochMilliseconds;
}

function zoned(zone: string, at: number): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
}

/** RFC 3339 in UTC without fractions, for an instant in milliseconds. */
export function rfc3339(at: number): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');
}
