import { expect, test } from '@jest/globals';
import { ActivePolicy } from '../../../../gateway/policy/active-policy.ts';
import { handover, resolved, sha256 } from '../../../system/gateway/policies.ts';

test('a key that moves to another workspace is found there, whichever of the two is enforced first', () => {
  const named = (name: string, version: number, keys: Record<string, string>) =>
    resolved(handover({ baseURL: 'https://api.test', version, keys, rest: { name } }));
  const key = { api: 'sk-tollgate-api' };
  const before = [named('old', 1, key), named('new', 1, {})];
  const after = [named('old', 2, {}), named('new', 2, key)];
  for (const order of [after, after.toReversed()]) {
    const policy = new ActivePolicy();
    policy.enforce(before);
    policy.enforce(order);
    expect(policy.find(sha256(key.api))?.workspace).toMatchObject({ name: 'new', version: 2 });
  }
});
