import { expect, test } from '@jest/globals';
import { ExpectedCosts } from '../../../../gateway/messages/expected-cost.ts';
import { nano } from '../../../../policy/core/money.ts';

test('the expected cost is the mean of recent calls', () => {
  const of = (...costs: bigint[]) => {
    const expected = new ExpectedCosts();
    for (const cost of costs) expected.learn('team/app', 'claude', nano(cost));
    return expected.of('team/app', 'claude');
  };
  expect(of(100n)).toBe(100n);
  expect(of(100n, 200n)).toBe(150n);
  const cheap = Array.from({ length: 200 }, () => 10n);
  expect(of(...cheap, 210n)).toBe(20n);
  expect(of(1_000n, ...cheap)).toBeLessThan(40n);
});
