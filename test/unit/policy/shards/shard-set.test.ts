import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { encodeJSON } from '../../../../policy/core/canonical-json.ts';
import { err } from '../../../../policy/core/result.ts';
import { encodeShard, SHARED_SHARD } from '../../../../policy/shards/shard-format.ts';
import { ShardSet } from '../../../../policy/shards/shard-set.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const shard = (entries: Record<string, string>, revision: number) =>
  encodeShard(new Map(Object.entries(entries)), revision, sha256);
const workspace = (name: string, version: number) => encodeJSON({ namespace: 'payments', name, version });

test('shards that are missing or damaged have a problem, and are not among the readable ones', () => {
  const shards = new ShardSet(2, sha256);
  shards.put(SHARED_SHARD, shard({ epoch: encodeJSON('first') }, 1));
  shards.put('tollgate-policy-0', shard({ 'payments.one': workspace('one', 1) }, 1));
  shards.put('tollgate-policy-1', { ...shard({}, 1), 'payments.two': workspace('two', 1) });
  expect(shards.shared).toMatchObject({ ok: true, value: { epoch: 'first' } });
  expect(shards.policyShard('tollgate-policy-1')).toEqual(err('its checksum does not fit its content'));
  expect(shards.keysShard('tollgate-keys-0').ok).toBe(false);
  const { policy, keys, shared } = shards.readable;
  expect([[...policy.keys()], [...keys.keys()], shared?.epoch]).toEqual([['tollgate-policy-0'], [], 'first']);
});

test('a workspace stays the same object through a damaged version of its shard', () => {
  const shards = new ShardSet(1, sha256);
  const read = () => shards.readable.policy.get('tollgate-policy-0')?.workspaces.get('payments/one');
  shards.put('tollgate-policy-0', shard({ 'payments.one': workspace('one', 1) }, 1));
  const first = read();
  expect(first).toMatchObject({ version: 1 });
  shards.put('tollgate-policy-0', undefined);
  expect(read()).toBeUndefined();
  shards.put('tollgate-policy-0', shard({ 'payments.one': workspace('one', 1) }, 2));
  expect(read()).toBe(first);
});
