import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RedisLedger } from '../../../../ledger/redis/connect-ledger.ts';
import { startRedis } from '../../../support/redis.ts';
import { call, check, cost, established, newInstallation } from '../ledger-fixtures.ts';

const COMPANY = 'tollgate-system/company/Day/UTC/0';

let server: Awaited<ReturnType<typeof startRedis>>;
let redis: Redis;
let ledger: RedisLedger;
let key: string;
let calls = 0;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

beforeEach(async () => {
  const installation = newInstallation();
  key = `{tollgate:${installation}}:counter:${COMPANY}`;
  ledger = await established(server, installation);
  return () => ledger.close();
});

/** Asks for a call of a workspace in a spanning budget of 100. Returns its id where it is admitted, else why not. */
async function ask(workspace: string, worst: bigint, percent = 50): Promise<string> {
  const id = `call-${(calls += 1)}`;
  const checks = [check(100n, worst, { counter: COMPANY, workspaceReservePercent: percent })];
  const answer = await ledger.gateway.reserve({ ...call(id, worst, checks), workspace });
  if (answer.kind === 'admitted') return id;
  return answer.kind === 'full' && answer.failures.every(({ verdict }) => verdict === 'waiting')
    ? 'waiting'
    : answer.kind;
}

describe('a spanning budget', () => {
  test('is all for one workspace while nobody else waits, and then for each no more than its part', async () => {
    const [first, second] = [await ask('hog/a', 40n), await ask('hog/a', 40n)];
    expect(await ask('hog/a', 40n)).toBe('waiting');
    expect(await ask('payments/checkout', 30n)).toBe('waiting');
    await ledger.gateway.settle(cost(first, 0n));
    // There is room for 60, of which the hog would take 40; 50 are its part.
    expect(await ask('hog/a', 40n)).toBe('waiting');
    expect(await ask('hog/a', 10n)).toMatch('call');
    const victim = await ask('payments/checkout', 30n);
    expect(victim).toMatch('call');
    // 20 are left, and nobody waits any more.
    expect(await ask('hog/a', 20n)).toMatch('call');
    expect(await redis.hgetall(key)).toMatchObject({ 'r:hog/a': '70', 'r:payments/checkout': '30', c: '100' });
    await ledger.gateway.release(second);
    await ledger.gateway.settle({ ...cost(victim, 1n), presumedNano: cost('', 29n).costNano });
    // What is presumed is in flight no more.
    expect(await redis.hgetall(key)).toMatchObject({ 'r:hog/a': '30', c: '60', f: '30' });
    expect(await redis.hmget(key, 'r:payments/checkout', 'm')).toEqual([null, null]);
  });

  test('gives a namespace no more because it has several workspaces', async () => {
    const first = await ask('hog/a', 40n);
    expect(await ask('hog/b', 40n)).toMatch('call');
    expect(await ask('payments/checkout', 30n)).toBe('waiting');
    await ledger.gateway.settle(cost(first, 0n));
    for (const workspace of ['hog/a', 'hog/b', 'hog/c']) expect(await ask(workspace, 20n)).toBe('waiting');
    expect(await ask('payments/checkout', 30n)).toMatch('call');
  });

  test('protects the workspaces of one namespace from each other', async () => {
    const first = await ask('hog/a', 90n);
    expect(await ask('hog/b', 30n)).toBe('waiting');
    await ledger.gateway.settle(cost(first, 0n));
    expect(await ask('hog/a', 60n)).toBe('waiting');
    // The namespace has its part already, so other namespaces need not wait for it.
    expect(await ask('payments/checkout', 60n)).toMatch('call');
    expect(await ask('hog/b', 30n)).toMatch('call');
    expect(await redis.hmget(key, 'm', 'm:hog', 'r:hog', 'r:payments')).toEqual([null, null, '30', '60']);
  });

  test('has a part of what is left, not of the limit: half of it spent, a workspace gets half of the rest', async () => {
    const spent = await ask('hog/a', 60n);
    await ledger.gateway.settle(cost(spent, 60n));
    const held = await ask('hog/a', 40n);
    expect(await ask('payments/checkout', 10n)).toBe('waiting');
    await ledger.gateway.settle(cost(held, 0n));
    expect(await ask('hog/a', 21n)).toBe('waiting');
    expect(await ask('hog/a', 20n)).toMatch('call');
  });

  test('admits a call that is larger than any part while nobody waits who has less', async () => {
    const first = await ask('hog/a', 90n);
    expect(await ask('payments/checkout', 60n)).toBe('waiting');
    expect(await ask('search/web', 60n)).toBe('waiting');
    await ledger.gateway.settle(cost(first, 1n));
    // Two that are both too large do not wait for each other.
    expect(await ask('search/web', 60n)).toMatch('call');
  });

  test('forgets a call that has stopped asking after two seconds', async () => {
    const first = await ask('hog/a', 90n);
    expect(await ask('payments/checkout', 30n)).toBe('waiting');
    await ledger.gateway.settle(cost(first, 0n));
    expect(await ask('hog/a', 60n)).toBe('waiting');
    const [mark = ''] = await redis.hmget(key, 'm');
    expect(Number(mark?.split(' ')[0]) - Date.now()).toBeLessThanOrEqual(2000);
    await redis.hset(key, 'm', `${Date.now() - 1} payments/checkout`);
    expect(await ask('hog/a', 60n)).toMatch('call');
  });

  test('knows of any number of workspaces whether another one waits', async () => {
    const first = await ask('hog/a', 90n);
    for (const workspace of ['a/a', 'b/b', 'c/c', 'a/a']) expect(await ask(workspace, 20n)).toBe('waiting');
    await ledger.gateway.settle(cost(first, 0n));
    for (const workspace of ['a/a', 'b/b', 'c/c', 'hog/a']) expect(await ask(workspace, 60n)).toBe('waiting');
    expect(await ask('c/c', 20n)).toMatch('call');
    expect(await ask('b/b', 60n)).toBe('waiting');
  });

  test('with 100 percent holds nobody back', async () => {
    const first = await ask('hog/a', 90n, 100);
    expect(await ask('payments/checkout', 30n, 100)).toBe('waiting');
    await ledger.gateway.settle(cost(first, 0n));
    expect(await ask('hog/a', 90n, 100)).toMatch('call');
  });

  test('counts what a gateway that died had in flight as presumed, and a late settle as nothing', async () => {
    const first = await ask('hog/a', 40n);
    await redis.zadd(key.replace(`:counter:${COMPANY}`, ':beats'), 1, 'gateway-1');
    expect(await ledger.operator.sweep()).toBe(1);
    expect(await redis.hmget(key, 'r:hog/a', 'f')).toEqual([null, '40']);
    expect(await ledger.gateway.settle(cost(first, 1n))).toBe('corrected');
    expect(await redis.hmget(key, 'r:hog/a', 's', 'f', 'c')).toEqual([null, '1', '1', '1']);
  });
});
