import { once } from 'node:events';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { LedgerUnreachable } from '../../../../ledger/ledger.ts';
import { connectLedger, type RedisLedger } from '../../../../ledger/redis/connect-ledger.ts';
import { OWNER } from '../../../support/owner.ts';
import { startRedis } from '../../../support/redis.ts';
import { call, check, cost, established, join, newInstallation, pool } from '../ledger-fixtures.ts';

let server: Awaited<ReturnType<typeof startRedis>>;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describe('a Redis that is', () => {
  test('full admits nothing more, but takes settles, releases and heartbeats', async () => {
    const own = await startRedis({ configuration: ['maxmemory-policy noeviction'] });
    const ledger = await established(own);
    for (const id of ['a', 'b']) await ledger.gateway.reserve(call(id, 1n, [check(9n, 1n)]));
    const raw = new Redis(own.url);
    await raw.config('SET', 'maxmemory', '1');
    await expect(ledger.gateway.reserve(call('c', 1n, []))).rejects.toThrow(LedgerUnreachable);
    expect(await ledger.gateway.settle(cost('a', 1n))).toBe('settled');
    expect(await ledger.gateway.release('b')).toBe('settled');
    expect(await ledger.gateway.beat({ pod: 'gateway-1', shards: {} })).toMatchObject({ kind: 'alive', open: [] });
    expect(await ledger.operator.sweep()).toBe(0);
    expect(
      await ledger.gateway.settleUnchecked({ reservation: call('d', 2n, [check(9n, 2n)]), settlement: cost('d', 2n) }),
    ).toBe('settled');
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ spentNano: 3n, committedNano: 3n });
    const row = { minute: 0, ...OWNER, key: 'api', budget: '', reason: 'BudgetSpent', count: 1 };
    await expect(ledger.gateway.recordRefusals([row], [])).rejects.toThrow(LedgerUnreachable);
    await raw.config('SET', 'maxmemory', '0');
    await ledger.gateway.recordRefusals([row, { ...row, count: 2 }], []);
    const refusals = await ledger.operator.readRefusals(9);
    expect(refusals.map((one) => one.row)).toEqual([row, { ...row, count: 2 }]);
    await ledger.operator.deleteRefusals([refusals[0]!.entry]);
    expect((await ledger.operator.readRefusals(9)).map((one) => one.row.count)).toEqual([2]);
    raw.disconnect();
    ledger.close();
    await own.stop();
  });

  test('hung lets a command time out, and the late reserve meets a tombstone', async () => {
    const ledger = connectLedger({
      url: server.url,
      installation: newInstallation(),
      epoch: () => 'one',
      commandTimeout: 1_000,
    });
    await reachable(ledger);
    await ledger.operator.establish('one');
    await join(ledger, 'gateway-1');
    process.kill(server.pid, 'SIGSTOP');
    const asked = call('a', 1n, [check(9n, 1n)]);
    await expect(ledger.gateway.reserve(asked)).rejects.toThrow(LedgerUnreachable);
    process.kill(server.pid, 'SIGCONT');
    expect(['settled', 'unknown']).toContain(await ledger.gateway.release('a'));
    expect(await ledger.gateway.reserve(asked)).toEqual({ kind: 'ended' });
    expect(await ledger.gateway.beat({ pod: 'gateway-1', shards: {} })).toMatchObject({ open: [] });
    ledger.close();
  });

  test('given a wrong password is unreachable, and no error shows the password', async () => {
    const url = server.url.replace(/:[^:@]*@/, ':not-the-password@');
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const onReachable = (_: boolean, error?: Error): void => resolve(error);
    const ledger = connectLedger({ url, installation: 'none', epoch: () => 'one', onReachable });
    const errors = [await promise, await ledger.operator.state().catch((error: unknown) => error)];
    expect(errors).toEqual([expect.any(LedgerUnreachable), expect.any(LedgerUnreachable)]);
    for (const error of errors) expect(error).toHaveProperty('message', expect.stringContaining('WRONGPASS'));
    expect(inspect(errors, { depth: 10, showHidden: true })).not.toContain('not-the-password');
    ledger.close();
  });
});

/** Waits until Redis answers. */
async function reachable(ledger: RedisLedger): Promise<void> {
  for (;;) {
    try {
      await ledger.operator.state();
      return;
    } catch (error) {
      if (!(error instanceof LedgerUnreachable)) throw error;
      await once(AbortSignal.timeout(20), 'abort');
    }
  }
}
