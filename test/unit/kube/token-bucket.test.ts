import { expect, test } from '@jest/globals';
import { TokenBucket } from '../../../kube/token-bucket.ts';

test('a bucket gives its burst at once, and then what was refilled', () => {
  const bucket = new TokenBucket(5, { tokens: 300, ms: 1_000 });
  expect([bucket.take(3, 1_000), bucket.take(3, 1_000), bucket.take(3, 1_000)]).toEqual([3, 2, 0]);
  expect([bucket.take(9, 1_003), bucket.take(9, 1_010), bucket.take(9, 1_000_000)]).toEqual([0, 3, 5]);
});

test('a clock that goes back takes no token away', () => {
  const bucket = new TokenBucket(2, { tokens: 1, ms: 100 });
  expect([bucket.take(1, 1_000), bucket.take(1, 500), bucket.take(1, 599), bucket.take(1, 600)]).toEqual([1, 1, 0, 1]);
});
