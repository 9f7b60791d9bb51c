import { expect, test } from '@jest/globals';
import { SeenNames } from '../../../../operator/log/seen-names.ts';

const DAY_MS = 86_400_000;

test('a name is told once a day for each workspace, and one above its bound goes into the policy', () => {
  let now = 10 * DAY_MS;
  const told: string[] = [];
  let passes = 0;
  const seen = new SeenNames({
    onExceeded: () => (passes += 1),
    onSeen: (workspace, names) => told.push(`${workspace}: ${names.join(' ')}`),
    clock: () => now,
  });
  const call = (workspace: string, names: string[], hasExceeded = false) => ({ workspace, names, hasExceeded });
  seen.take([call('a/b', ['dream', 'sleep']), call('a/b', ['dream']), call('c/d', ['dream'])]);
  seen.take([call('a/b', ['dream'])]);
  expect(told).toEqual(['a/b: dream sleep', 'c/d: dream']);
  expect(seen.exceeded).toEqual([]);
  now += DAY_MS;
  seen.take([call('a/b', ['dream'], true)]);
  seen.take([call('a/b', ['dream'], true)]);
  expect(told.slice(2)).toEqual(['a/b: dream']);
  expect(seen.exceeded).toEqual(['dream']);
  expect(passes).toBe(1);
});
