import { expect, test } from '@jest/globals';
import { nearestName } from '../../../../policy/core/nearest-name.ts';

test.each([
  ['chekout', ['billing', 'checkout'], 'checkout'],
  ['checkout-prod', ['checkout', 'checkout-test'], 'checkout-test'],
  ['app', ['api', 'apt'], 'api'],
  ['checkout', ['payments'], null],
  ['a', ['b'], null],
  ['', ['a'], null],
  ['a', [], null],
  ['x'.repeat(65), ['x'.repeat(64)], null],
])('the name nearest to %p among %p is %p', (name, names, nearest) => {
  expect(nearestName(name, names)).toBe(nearest);
});
