import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CompiledPeriod, Every } from '../../../../policy/core/compiled-policy.ts';
import { counterName, END_OF_TIME, isTimeZone, periodAt, PeriodCache } from '../../../../policy/core/period.ts';
import type { Period } from '../../../../policy/core/period.ts';

const span = (every: Every, timeZone: string, at: string): string => {
  const { start, end } = periodAt({ every, timeZone }, Date.parse(at));
  return `${new Date(start).toISOString()}/${new Date(end).toISOString()}`.replaceAll(':00.000Z', 'Z');
};

describe('a period', () => {
  test.each<[Every, string, string, string]>([
    ['Hour', 'UTC', '2026-11-23T12:34:56Z', '2026-11-23T12:00Z/2026-11-23T13:00Z'],
    ['Hour', 'Asia/Kolkata', '2026-11-23T12:34:56Z', '2026-11-23T12:30Z/2026-11-23T13:30Z'],
    ['Day', 'America/New_York', '2026-11-23T04:59:59Z', '2026-11-22T05:00Z/2026-11-23T05:00Z'],
    ['Day', 'America/New_York', '2026-11-23T05:00:00Z', '2026-11-23T05:00Z/2026-11-24T05:00Z'],
    ['Week', 'UTC', '2026-11-22T23:59:59Z', '2026-11-16T00:00Z/2026-11-23T00:00Z'],
    ['Week', 'UTC', '2026-11-23T00:00:00Z', '2026-11-23T00:00Z/2026-11-30T00:00Z'],
    ['Month', 'Europe/Berlin', '2026-10-31T23:30:00Z', '2026-10-31T23:00Z/2026-11-30T23:00Z'],
    ['Month', 'UTC', '2028-02-29T12:00:00Z', '2028-02-01T00:00Z/2028-03-01T00:00Z'],
    ['Quarter', 'UTC', '2026-11-23T00:00:00Z', '2026-10-01T00:00Z/2027-01-01T00:00Z'],
    ['Quarter', 'UTC', '2026-03-31T00:00:00Z', '2026-01-01T00:00Z/2026-04-01T00:00Z'],
    ['Year', 'Pacific/Auckland', '2026-12-31T11:00:00Z', '2026-12-31T11:00Z/2027-12-31T11:00Z'],
  ])('%s in %s at %s is %s', (every, zone, at, expected) => {
    expect(span(every, zone, at)).toBe(expected);
  });

  test.each<[string, Every, string, string, string]>([
    ['a day of 23 hours', 'Day', 'America/New_York', '2026-03-08T12:00:00Z', '2026-03-08T05:00Z/2026-03-09T04:00Z'],
    ['a day of 25 hours', 'Day', 'America/New_York', '2026-11-01T12:00:00Z', '2026-11-01T04:00Z/2026-11-02T05:00Z'],
    [
      'a day of 24 and a half hours',
      'Day',
      'Australia/Lord_Howe',
      '2026-04-05T00:00:00Z',
      '2026-04-04T13:00Z/2026-04-05T13:30Z',
    ],
    [
      'a day without a midnight',
      'Day',
      'America/Sao_Paulo',
      '2018-11-04T12:00:00Z',
      '2018-11-04T03:00Z/2018-11-05T02:00Z',
    ],
    [
      'a day that comes back for its last hour',
      'Day',
      'America/Sao_Paulo',
      '2018-02-18T02:30:00Z',
      '2018-02-17T02:00Z/2018-02-18T03:00Z',
    ],
    [
      'the day before one that Apia skipped',
      'Day',
      'Pacific/Apia',
      '2011-12-30T09:59:59Z',
      '2011-12-29T10:00Z/2011-12-30T10:00Z',
    ],
    [
      'the day after one that Apia skipped',
      'Day',
      'Pacific/Apia',
      '2011-12-30T10:00:00Z',
      '2011-12-30T10:00Z/2011-12-31T10:00Z',
    ],
    [
      'the week in which Apia skipped a day',
      'Week',
      'Pacific/Apia',
      '2011-12-31T00:00:00Z',
      '2011-12-26T10:00Z/2012-01-01T10:00Z',
    ],
    [
      'an hour that comes twice, first',
      'Hour',
      'America/New_York',
      '2026-11-01T05:30:00Z',
      '2026-11-01T05:00Z/2026-11-01T06:00Z',
    ],
    [
      'an hour that comes twice, again',
      'Hour',
      'America/New_York',
      '2026-11-01T06:30:00Z',
      '2026-11-01T06:00Z/2026-11-01T07:00Z',
    ],
    [
      'the half hour that comes twice',
      'Hour',
      'Australia/Lord_Howe',
      '2026-04-04T15:00:00Z',
      '2026-04-04T15:00Z/2026-04-04T15:30Z',
    ],
    [
      'the half hour that is left',
      'Hour',
      'Australia/Lord_Howe',
      '2026-10-03T15:30:00Z',
      '2026-10-03T15:30Z/2026-10-03T16:00Z',
    ],
    [
      'minutes that come again after midnight',
      'Day',
      'America/St_Johns',
      '2010-11-07T03:00:00Z',
      '2010-11-07T02:30Z/2010-11-08T03:30Z',
    ],
  ])('%s (%s in %s at %s)', (_, every, zone, at, expected) => {
    expect(span(every, zone, at)).toBe(expected);
  });

  test('Once begins at its instant and never ends; before it, it has not begun', () => {
    const period: CompiledPeriod = { every: 'Once', timeZone: 'UTC', start: 5000 };
    expect(periodAt(period, 4999)).toEqual({ start: 0, end: 5000, begun: false });
    expect(periodAt(period, 5000)).toEqual({ start: 5000, end: END_OF_TIME, begun: true });
  });
});

const zones = [
  'UTC',
  'America/New_York',
  'America/Sao_Paulo',
  'America/St_Johns',
  'America/Havana',
  'Africa/Casablanca',
  'Africa/Cairo',
  'Asia/Gaza',
  'Asia/Kathmandu',
  'Asia/Kolkata',
  'Asia/Tehran',
  'Asia/Pyongyang',
  'Australia/Lord_Howe',
  'Europe/Dublin',
  'Europe/Lisbon',
  'Pacific/Apia',
  'Pacific/Chatham',
  'Pacific/Kiritimati',
  'Antarctica/Troll',
];
const HOUR = 3_600_000;
const longest: Record<Every, number> = {
  Hour: 1,
  Day: 25,
  Week: 7 * 24 + 1,
  Month: 31 * 24 + 1,
  Quarter: 92 * 24 + 1,
  Year: 366 * 24 + 1,
  Once: Infinity,
};

const zone = fc.constantFrom(...zones);
const every = fc.constantFrom<Every>('Hour', 'Day', 'Week', 'Month', 'Quarter', 'Year');
const instant = fc.integer({ min: Date.parse('1990-01-01'), max: Date.parse('2040-01-01') });
/** Instants around the hours at which clocks jump. */
const edges = new Map(zones.map((timeZone) => [timeZone, offsetChanges(timeZone)] as const));
const edge = fc.tuple(zone, fc.nat(), fc.integer({ min: -2 * HOUR, max: 2 * HOUR })).map(([timeZone, pick, offset]) => {
  const changes = edges.get(timeZone) ?? [];
  return { timeZone, at: changes.length === 0 ? offset : (changes[pick % changes.length] as number) + offset };
});
const place = fc.oneof(fc.record({ timeZone: zone, at: instant }), edge);

describe('through all clock changes', () => {
  test('every instant is in its period, whose neighbours follow without gap or overlap', () => {
    fc.assert(
      fc.property(every, place, fc.double({ min: 0, max: 1, noNaN: true }), (every, { timeZone, at }, part) => {
        const fresh = (instant: number): Period => periodAt({ every, timeZone }, instant);
        const { start, end, begun } = fresh(at);
        expect(start <= at && at < end && begun).toBe(true);
        expect(end - start).toBeLessThanOrEqual(longest[every] * HOUR + HOUR);
        expect(fresh(start + Math.floor(part * (end - start - 1)))).toEqual({ start, end, begun });
        expect(fresh(end).start).toBe(end);
        expect(fresh(start - 1).end).toBe(start);
      }),
      { numRuns: 1500 },
    );
  });

  test('a shorter period is within one longer period', () => {
    const nested = fc.constantFrom<[Every, Every]>(
      ['Day', 'Week'],
      ['Day', 'Month'],
      ['Month', 'Quarter'],
      ['Quarter', 'Year'],
    );
    fc.assert(
      fc.property(nested, place, ([short, long], { timeZone, at }) => {
        const inner = periodAt({ every: short, timeZone }, at);
        const outer = periodAt({ every: long, timeZone }, at);
        expect(outer.start <= inner.start && inner.end <= outer.end).toBe(true);
      }),
    );
  });

  test('an answer of a cache does not depend on what was asked before', () => {
    const cache = new PeriodCache();
    const periods = zones.flatMap((timeZone) =>
      (['Hour', 'Day', 'Month'] as const).map((every) => ({ every, timeZone })),
    );
    const step = fc.tuple(fc.constantFrom(...periods), instant, fc.integer({ min: -HOUR, max: HOUR }));
    fc.assert(
      fc.property(step, ([period, at, offset]) => {
        expect(cache.at(period, at)).toEqual(periodAt(period, at));
        expect(cache.at(period, at + offset)).toEqual(periodAt(period, at + offset));
      }),
      { numRuns: 300 },
    );
  });
});

test('a cache computes a period once, with the same answers', () => {
  const period: CompiledPeriod = { every: 'Day', timeZone: 'America/New_York' };
  const periods = new PeriodCache();
  const first = periods.at(period, Date.parse('2026-11-23T05:00:00Z'));
  expect(first).toEqual(periodAt(period, first.start));
  expect(periods.at({ ...period }, first.end - 1)).toBe(first);
  expect(periods.at(period, first.end)).toEqual(periodAt(period, first.end));
  expect(periods.at(period, first.start)).toEqual(first);
  for (const start of [first.start, first.end]) {
    const once: CompiledPeriod = { every: 'Once', timeZone: 'UTC', start };
    expect(periods.at(once, first.start)).toEqual(periodAt(once, first.start));
  }
});

test('an unknown time zone is detected', () => {
  expect(['UTC', 'America/New_York', 'Asia/Calcutta'].map(isTimeZone)).toEqual([true, true, true]);
  expect(['', 'Mars/Olympus', 'America/New York', 'local'].map(isTimeZone)).toEqual([false, false, false, false]);
  expect(() => periodAt({ every: 'Day', timeZone: 'Mars/Olympus' }, 0)).toThrow(RangeError);
});

test('counters are named by budget, kind, zone and start', () => {
  const start = Date.parse('2026-11-23T05:00:00Z');
  expect(counterName('payments/checkout', { every: 'Day', timeZone: 'America/New_York' }, start)).toBe(
    `payments/checkout/Day/America/New_York/${start}`,
  );
});

/** The instants, to the hour, at which a zone's offset changes; found by asking Intl, not the code under test. */
function offsetChanges(timeZone: string): number[] {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  const offset = (at: number): string => format.format(at).replace(/^[^G]*/, '');
  const changes: number[] = [];
  const WEEK = 7 * 24 * HOUR;
  for (let at = Date.parse('2004-01-01'); at < Date.parse('2030-01-01'); at += WEEK) {
    if (offset(at) === offset(at + WEEK)) continue;
    let low = at;
    let high = at + WEEK;
    while (high - low > HOUR) {
      const middle = low + Math.floor((high - low) / 2);
      if (offset(middle) === offset(at)) low = middle;
      else high = middle;
    }
    changes.push(high);
  }
  return changes;
}
