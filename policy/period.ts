/**
 * Calendar periods: half-open, aligned to the wall clock of a time zone, tiling time without gap or overlap whatever the
 * clocks there do. Days last 23 to 25 hours, and a day that a zone skipped does not exist.
 */

import { Temporal } from 'temporal-polyfill';
import type { CompiledPeriod, Ref } from './compiled.ts';
import { END_OF_TIME } from './prices.ts';

/** A calendar period, half-open, in milliseconds since the epoch. */
export interface Period {
  readonly start: number;
  readonly end: number;
  /** False only before a `Once` begins: the budget does not govern yet, and does from `end` on. */
  readonly begun: boolean;
}

/** The period that an instant (milliseconds) lies in. Throws a RangeError for a time zone that `isTimeZone` denies. */
export function periodAt(period: CompiledPeriod, at: number): Period {
  switch (period.every) {
    case 'Once':
      return once(period.start ?? 0, at);
    case 'Hour':
      return hourAt(period.timeZone, at);
    default:
      return dayspanAt(period.every, period.timeZone, at);
  }
}

/** `periodAt` for the hot path: remembers the last answer for each period and computes only outside it. */
export class Calendar {
  readonly #last = new WeakMap<CompiledPeriod, Period>();

  /** As `periodAt`. Remembers by identity: pass the object that the compiled policy holds, not a copy. */
  periodAt(period: CompiledPeriod, at: number): Period {
    const last = this.#last.get(period);
    if (last !== undefined && last.start <= at && at < last.end) return last;
    const current = periodAt(period, at);
    this.#last.set(period, current);
    return current;
  }
}

/** True where the zone is one that this program knows. */
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

/** An hour of the wall clock, cut where the clock jumps: one that comes twice is two periods, a halved one is shorter. */
function hourAt(zone: string, at: number): Period {
  const now = zoned(zone, at);
  const offset = now.offsetNanoseconds / 1e6;
  const hour = Math.floor((at + offset) / HOUR) * HOUR - offset;
  // The transition at or before `at`: the polyfill looks strictly before.
  const jump = zoned(zone, at + 1).getTimeZoneTransition('previous');
  const next = now.getTimeZoneTransition('next');
  return {
    start: Math.max(hour, jump?.epochMilliseconds ?? hour),
    end: Math.min(hour + HOUR, next?.epochMilliseconds ?? END_OF_TIME),
    begun: true,
  };
}

type Dayspan = Exclude<CompiledPeriod['every'], 'Once' | 'Hour'>;

function dayspanAt(every: Dayspan, zone: string, at: number): Period {
  let first = firstDay(every, zoned(zone, at).toPlainDate());
  let next = first.add(LENGTH[every]);
  // Where clocks go back over midnight, the last minutes of a day come again after the next day began: they are its.
  while (startOf(next, zone) <= at) [first, next] = [next, next.add(LENGTH[every])];
  return { start: startOf(first, zone), end: startOf(next, zone), begun: true };
}

const LENGTH: Readonly<Record<Dayspan, Temporal.DurationLike>> = {
  Day: { days: 1 },
  Week: { weeks: 1 },
  Month: { months: 1 },
  Quarter: { months: 3 },
  Year: { years: 1 },
};

function firstDay(every: Dayspan, day: Temporal.PlainDate): Temporal.PlainDate {
  switch (every) {
    case 'Day':
      return day;
    case 'Week':
      return day.subtract({ days: day.dayOfWeek - 1 });
    case 'Month':
      return day.with({ day: 1 });
    case 'Quarter':
      return day.with({ day: 1, month: day.month - ((day.month - 1) % 3) });
    case 'Year':
      return day.with({ day: 1, month: 1 });
  }
}

function startOf(day: Temporal.PlainDate, zone: string): number {
  return day.toZonedDateTime(zone).epochMilliseconds;
}

function zoned(zone: string, at: number): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
}
