import { expect, test } from '@jest/globals';
import { nano } from '../../../../policy/core/money.ts';
import { type MovingAverage, updateAverage } from '../../../../policy/cost/moving-average.ts';

test('the expected cost is the mean of recent calls', () => {
  const of = (...costs: bigint[]) =>
    costs.map(nano).reduce<MovingAverage | undefined>(updateAverage, undefined)!.meanNano;
  expect(of(100n)).toBe(100n);
  expect(of(100n, 200n)).toBe(150n);
  const cheap = Array.from({ length: 200 }, () => 10n);
  expect(of(...cheap, 210n)).toBe(20n);
  expect(of(1_000n, ...cheap)).toBeLessThan(40n);
});
