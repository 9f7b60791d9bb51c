import { expect, test } from '@jest/globals';
import { encodeJSON } from '../../../../policy/core/canonical-json.ts';
import { decodePolicyShard } from '../../../../policy/shards/shard-contents.ts';
import { encodeShard } from '../../../../policy/shards/shard-format.ts';
import { right, sha256 } from '../compile/stored.ts';

test('an unchanged workspace stays the same object, and a changed one does not', () => {
  const shard = (entries: Record<string, string>, revision: number) =>
    encodeShard(new Map(Object.entries(entries)), revision, sha256);
  const one = (version: number) => encodeJSON({ namespace: 'payments', name: 'one', version });
  const other = encodeJSON({ namespace: 'payments', name: 'other.one', version: 1 });
  const first = right(decodePolicyShard(shard({ 'payments.one': one(1), 'payments.other.one': other }, 1), sha256));
  const data = shard({ 'payments.one': one(2), 'payments.other.one': other }, 2);
  const second = right(decodePolicyShard(data, sha256, first));
  expect(second).toEqual(right(decodePolicyShard(data, sha256)));
  expect(second.workspaces.get('payments/other.one')).toBe(first.workspaces.get('payments/other.one'));
  const third = right(decodePolicyShard(shard({ 'payments.one': one(1) }, 3), sha256, second));
  expect([...third.workspaces.values()]).toMatchObject([{ name: 'one', version: 1 }]);
  expect(right(decodePolicyShard(data, sha256, undefined))).toEqual(second);
});
