import { expect, test } from '@jest/globals';
import { ActivePolicy } from '../../../../gateway/policy/active-policy.ts';
import { budget, handover, resolved, sha256 } from '../../../system/gateway/policies.ts';

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

test('the lists of budgets and restrictions are read once for all keys of a workspace', () => {
  let reads = 0;
  const counted = (patterns: readonly string[]): readonly string[] =>
    new Proxy(patterns, {
      get: (list, name) => {
        if (name === 'filter' || name === 'flatMap' || name === 'map') reads += 1;
        return Reflect.get(list, name) as unknown;
      },
    });
  const names = Array.from({ length: 50 }, (_, i) => `key-${i}`);
  const users = { users: counted(['intern_*']) };
  const restrictions = [{ name: 'interns', match: users, allow: counted(['claude-haiku-*']) }];
  const one = handover({
    baseURL: 'https://api.test',
    keys: Object.fromEntries(names.map((name) => [name, name])),
    budgets: [budget('interns', '5.00', { scope: users, exempt: { keys: counted(['boss']) } })],
    rest: { headers: { user: 'x-user' }, models: { allow: ['*'], unknown: 'Refuse', restrictions } },
  });
  const policy = new ActivePolicy();
  policy.enforce([resolved(one)]);
  const callFrom = (name: string): void => {
    const caller = policy.find(sha256(name))!;
    expect([caller.budgets.size, caller.allows('claude-opus-5-5', {})]).toEqual([1, false]);
  };
  callFrom(names[0]!);
  const readsOfOne = reads;
  expect(readsOfOne).toBeGreaterThan(0);
  for (const name of names) callFrom(name);
  expect(reads).toBe(readsOfOne);
});
