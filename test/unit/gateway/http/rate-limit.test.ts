import { expect, test } from '@jest/globals';
import { RateLimit } from '../../../../gateway/http/rate-limit.ts';

test('each name has its own count in each second', () => {
  let elapsed = 500;
  const limit = new RateLimit(2, () => elapsed);
  expect(['a', 'a', 'a', 'b'].map((name) => limit.admits(name))).toEqual([true, true, false, true]);
  elapsed = 1_499;
  expect(limit.admits('a')).toBe(false);
  elapsed = 1_500;
  expect(limit.admits('a')).toBe(true);
});
