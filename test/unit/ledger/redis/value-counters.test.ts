import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { RedisLedger } from '../../../../ledger/redis/connect-ledger.ts';
import type { ReserveAnswer } from '../../../../ledger/reservation.ts';
import {
  MAX_NAMESPACE_VALUES,
  MAX_VALUES,
  type Reading,
  sharedValueOf,
} from '../../../../policy/core/counter-reading.ts';
import { startRedis } from '../../../support/redis.ts';
import { call, check, cost, COUNTER, established, newInstallation } from '../ledger-fixtures.ts';

const DAY = 86_400_000;
const SPANNING = 'tollgate-system/company/Day/UTC/0';

let server: Awaited<ReturnType<typeof startRedis>>;
let redis: Redis;
let ledger: RedisLedger;
let prefix: string;

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
  prefix = `{tollgate:${installation}}`;
  ledger = await established(server, installation);
  return () => ledger.close();
});

interface Options {
  readonly cap?: bigint;
  readonly worst?: bigint;
  readonly counter?: string;
  readonly workspace?: string;
  readonly isFixed?: boolean;
  readonly isRun?: boolean;
}

/** Reserves a call of a customer; its id is the customer's name unless another is given. */
function reserve(customer: string, options: Options = {}, id = customer): Promise<ReserveAnswer> {
  const { cap = 10n, worst = 1n, counter = COUNTER, workspace = 'payments/checkout', isFixed, isRun } = options;
  const kind = {
    ...(isFixed ? { valueIsFixed: true as const } : {}),
    ...(isRun ? { valuesAreRuns: true as const } : {}),
  };
  const checks = [check(cap, worst, { counter, value: JSON.stringify([customer]), ...kind })];
  return ledger.gateway.reserve({ ...call(id, worst, checks), workspace });
}

async function read(customer: string, counter = COUNTER, workspace = 'payments/checkout'): Promise<Reading> {
  const query = {
    counter,
    per: true,
    top: 0,
    also: [JSON.stringify([customer])],
    sharedValue: sharedValueOf(counter, workspace),
  };
  return (await ledger.operator.read([query]))[0]!;
}

/** The keys of the ledger, but for the marks of calls that ended. */
async function keys(): Promise<string[]> {
  const all = await redis.keys(`${prefix}:*`);
  return all
    .map((key) => key.slice(prefix.length))
    .filter((key) => !key.startsWith(':tombstone'))
    .toSorted();
}

/** As if the namespace had made so many values more in a pool. */
async function use(namespace: string, count: number, pool = COUNTER): Promise<void> {
  await redis.hincrby(`${prefix}:valueCounts:${namespace}`, pool, count);
  await redis.hincrby(`${prefix}:valueCounts:${namespace}`, '', count);
}

describe('the counter of a value', () => {
  test('is gone once its calls are released, or settled at nothing', async () => {
    await reserve('pool');
    await ledger.gateway.release('pool');
    const before = await keys();
    for (const customer of ['a', 'b', 'c']) await reserve(customer);
    expect((await read('a')).valueCount).toBe(3);
    await ledger.gateway.release('a');
    await ledger.gateway.settle(cost('b', 0n));
    await ledger.gateway.settle(cost('c', 1n));
    expect((await read('a')).valueCount).toBe(1);
    expect((await keys()).filter((key) => key.includes('["'))).toEqual([`:counter:${COUNTER}#["c"]`]);
    await reserve('c', {}, 'once more');
    await ledger.gateway.release('once more');
    expect((await read('c')).values[0]).toMatchObject({ spentNano: 1n, committedNano: 1n, requests: 1 });
    // The usage stream has the two that were settled.
    const added = (await keys()).filter((key) => !before.includes(key));
    expect(added.filter((key) => !key.includes(COUNTER))).toEqual([
      ':usage',
      ':valueCounts:payments',
      ':valuePools:payments',
    ]);
  });

  test('is not made by a refusal, which counts where money was spent', async () => {
    expect(await reserve('new', { cap: 0n })).toMatchObject({ kind: 'full', failures: [{ verdict: 'spent' }] });
    expect(await read('new')).toMatchObject({ total: { refused: 1 }, valueCount: 0, exhaustedCount: 0 });
    expect((await keys()).filter((key) => key.includes('["') || key.includes('value'))).toEqual([]);
    await reserve('old');
    await ledger.gateway.settle(cost('old', 1n));
    await reserve('old', { cap: 1n }, 'refused');
    expect(await read('old')).toMatchObject({ total: { refused: 2 }, values: [{ refused: 1 }], exhaustedCount: 1 });
  });

  test('comes back with a late settle of a call that a person released', async () => {
    await reserve('a');
    await ledger.gateway.settle({ ...cost('a', 0n), presumedNano: cost('a', 1n).costNano });
    await reserve('b', {}, 'swept');
    await redis.zadd(`${prefix}:beats`, 1, 'gateway-1');
    expect(await ledger.operator.sweep()).toBe(1);
    expect(await ledger.operator.resolvePresumed(['a', 'swept'], 'Release')).toBe(2);
    expect((await read('b')).valueCount).toBe(0);
    const late = cost('swept', 1n);
    expect(await ledger.gateway.settle(late)).toBe('corrected');
    expect(await read('b')).toMatchObject({ valueCount: 1, values: [{ spentNano: 1n, requests: 1 }] });
    const pool = await redis.pexpiretime(`${prefix}:counter:${COUNTER}`);
    expect(await redis.pexpiretime(`${prefix}:counter:${COUNTER}#["b"]`)).toBe(pool - 5 * DAY);
  });
});

describe('a call that is settled days after its period', () => {
  test('counts in the pool alone once the counters of values have expired, and leaves no key for ever', async () => {
    const end = Date.now() - 3 * DAY;
    const checks = [check(10n, 2n, { start: end - DAY, end, value: '["late"]' })];
    const reservation = call('late', 2n, checks);
    await ledger.gateway.settleUnchecked({ reservation, settlement: cost('late', 2n) });
    const names = (await keys()).filter((key) => key.includes(COUNTER));
    expect(names).toEqual([`:counter:${COUNTER}`]);
    expect(await redis.pexpiretime(`${prefix}:counter:${COUNTER}`)).toBe(end + 7 * DAY);
    expect(await read('late')).toMatchObject({ total: { spentNano: 2n }, valueCount: 0 });
  });
});

describe('past the largest number of values', () => {
  test('a workspace shares a counter with no other workspace, and no namespace takes the place of another', async () => {
    const spanning = { counter: SPANNING, cap: 10n, worst: 6n };
    await use('payments', MAX_VALUES, SPANNING);
    await reserve('a', { ...spanning, workspace: 'payments/checkout' });
    await reserve('b', { ...spanning, workspace: 'payments/refunds' });
    expect(await reserve('c', { ...spanning, workspace: 'payments/checkout' })).toMatchObject({ kind: 'full' });
    expect(await reserve('d', { ...spanning, workspace: 'search/web' })).toMatchObject({ kind: 'admitted' });
    const names = (await keys()).filter((key) => key.startsWith(`:counter:${SPANNING}#`));
    expect(names).toEqual([
      `:counter:${SPANNING}#["d"]`,
      `:counter:${SPANNING}#…payments/checkout`,
      `:counter:${SPANNING}#…payments/refunds`,
    ]);
    expect(await read('c', SPANNING)).toMatchObject({ values: [{ value: '…payments/checkout', committedNano: 6n }] });
    expect(await redis.hgetall(`${prefix}:valueCounts:search`)).toEqual({ [SPANNING]: '1', '': '1' });
    await ledger.gateway.release('d');
    expect(await redis.exists(`${prefix}:valueCounts:search`)).toBe(0);
  });

  test('a value that no tenant chooses has one limit for all workspaces', async () => {
    const department = { counter: SPANNING, cap: 10n, worst: 6n, isFixed: true };
    await use('payments', MAX_NAMESPACE_VALUES, 'payments/own/Day/UTC/0');
    const first = await reserve('research', { ...department, workspace: 'payments/one' }, 'first');
    expect(first).toMatchObject({ kind: 'admitted' });
    const second = await reserve('research', { ...department, workspace: 'payments/two' }, 'second');
    expect(second).toMatchObject({ kind: 'full', failures: [{ verdict: 'waiting' }] });
    expect(await read('research', SPANNING)).toMatchObject({ valueCount: 1, values: [{ committedNano: 6n }] });
  });

  test('runs have as many counters as their namespace, and then share one', async () => {
    const runs = { isRun: true, cap: 10n, worst: 6n };
    await use('payments', MAX_VALUES);
    await reserve('first', runs);
    expect(await reserve('second', runs)).toMatchObject({ kind: 'admitted' });
    expect((await read('second')).values).toMatchObject([{ value: '["second"]', committedNano: 6n }]);
    await use('payments', MAX_NAMESPACE_VALUES - MAX_VALUES);
    expect(await reserve('third', runs)).toMatchObject({ kind: 'admitted' });
    expect(await reserve('fourth', runs)).toMatchObject({ kind: 'full', failures: [{ verdict: 'waiting' }] });
    expect((await read('third')).values).toMatchObject([{ value: '…', committedNano: 6n }]);
  });

  test('a value that may have spent there keeps counting there, also when others have made room', async () => {
    await use('payments', MAX_VALUES);
    await reserve('late');
    await use('payments', -MAX_VALUES);
    await ledger.gateway.settle(cost('late', 9n));
    expect(await reserve('late', { worst: 2n }, 'second')).toMatchObject({
      kind: 'full',
      failures: [{ verdict: 'spent' }],
    });
    expect(await read('late')).toMatchObject({ values: [{ value: '…', spentNano: 9n }] });
  });

  test('the shared counter is gone too once it holds nothing', async () => {
    await use('payments', MAX_VALUES);
    await reserve('late');
    await ledger.gateway.release('late');
    await use('payments', -1);
    await reserve('later');
    expect(await read('later')).toMatchObject({ valueCount: 1, values: [{ value: '["later"]', committedNano: 1n }] });
  });

  test('long values take several places', async () => {
    const long = 'x'.repeat(256);
    await reserve(long);
    expect(await redis.hgetall(`${prefix}:valueCounts:payments`)).toEqual({ [COUNTER]: '2', '': '2' });
    await ledger.gateway.release(long);
    expect(await redis.exists(`${prefix}:valueCounts:payments`, `${prefix}:valuePools:payments`)).toBe(0);
  });

  test('a namespace has a bound over all of its budgets, which forgets those that expired', async () => {
    await use('payments', MAX_NAMESPACE_VALUES, 'payments/old/Day/UTC/0');
    await reserve('a');
    expect(await read('a')).toMatchObject({ values: [{ value: '…' }] });
    await ledger.gateway.release('a');
    await redis.zadd(`${prefix}:valuePools:payments`, Date.now() - 1, 'payments/old/Day/UTC/0');
    await reserve('b');
    expect(await read('b')).toMatchObject({ values: [{ value: '["b"]' }] });
    expect(await redis.hgetall(`${prefix}:valueCounts:payments`)).toEqual({ [COUNTER]: '1', '': '1' });
  });
});
