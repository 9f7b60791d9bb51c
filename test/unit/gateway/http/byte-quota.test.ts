import { expect, test } from '@jest/globals';
import { ByteQuota } from '../../../../gateway/http/byte-quota.ts';

test('no workspace can hold the whole quota, and an ended call holds nothing', () => {
  const quota = new ByteQuota(100);
  const [greedy, second, other] = [quota.open(), quota.open(), quota.open()];
  greedy.belongTo('a/greedy');
  second.belongTo('a/greedy');
  other.belongTo('b/other');
  expect([greedy.grow(50), second.grow(25), second.grow(1), other.grow(25), other.grow(1)]).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
  greedy.close();
  greedy.close();
  expect(quota.held).toBe(50);
  expect([second.grow(50), other.grow(1)]).toEqual([true, false]);
  second.close();
  other.close();
  expect(quota.held).toBe(0);
});
