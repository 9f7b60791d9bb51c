import { expect, test } from '@jest/globals';
import { ReadSchedule } from '../../../../operator/status/read-schedule.ts';

const budgets = Array.from({ length: 1_200 }, (_, i) => i);

test('slices of at most 500 cover all budgets in one second, then start again', () => {
  const schedule = new ReadSchedule();
  const slices: (readonly number[])[] = [];
  const times: number[] = [];
  for (let now = 10_000; slices.length < 4; now = schedule.dueAt) {
    times.push(Math.round(now));
    slices.push(schedule.take(budgets, now));
  }
  expect(slices.map(({ length }) => length)).toEqual([500, 500, 200, 500]);
  expect(slices.slice(0, 3).flat()).toEqual(budgets);
  expect(times.map((at) => at - 10_000)).toEqual([0, 417, 833, 1_000]);
});

test('slow reading takes at most a fifth of the time', () => {
  const schedule = new ReadSchedule();
  schedule.take(budgets, 0);
  schedule.tookMs(50, 0);
  expect(Math.round(schedule.dueAt)).toBe(417);
  schedule.tookMs(400, 0);
  expect(schedule.dueAt).toBe(2_000);
});

test('an empty list is due again after a second', () => {
  const schedule = new ReadSchedule();
  expect(schedule.take([], 5_000)).toEqual([]);
  expect(schedule.dueAt).toBe(6_000);
});
