import { expect, test } from '@jest/globals';
import { ByteQuota } from '../../../../gateway/http/byte-quota.ts';

test('no workspace can hold the whole quota, and an ended call holds nothing', () => {
  const quota = new ByteQuota(100);
  const [greedy, second, other] = [quota.open(), quota.open(), quota.open()];
  greedy.belongTo({ namespace: 'a', name: 'greedy' });
  second.belongTo({ namespace: 'a', name: 'greedy' });
  other.belongTo({ namespace: 'b', name: 'other' });
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

test('the workspaces of one namespace together cannot hold the whole quota either', () => {
  const quota = new ByteQuota(80);
  const [one, two, other] = [quota.open(), quota.open(), quota.open()];
  one.belongTo({ namespace: 'a', name: 'one' });
  two.belongTo({ namespace: 'a', name: 'two' });
  other.belongTo({ namespace: 'b', name: 'one' });
  expect([one.grow(60), two.grow(10), two.grow(1), other.grow(10)]).toEqual([true, true, false, true]);
  one.close();
  expect(two.grow(1)).toBe(true);
});
