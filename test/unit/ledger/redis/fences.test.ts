import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { startRedis } from '../../../support/redis.ts';
import { call, check, established, newInstallation } from '../ledger-fixtures.ts';

let server: Awaited<ReturnType<typeof startRedis>>;

beforeAll(async () => {
  server = await startRedis();
});

afterAll(() => server.stop());

test('the fences of deleted workspaces take no room, and still keep their old policies out', async () => {
  const installation = newInstallation();
  const ledger = await established(server, installation);
  const ask = async (workspace: string, version: number): Promise<string> => {
    const reservation = call(`${workspace}-${version}`, 1n, [check(1_000_000n, 1n)], version);
    return (await ledger.gateway.reserve({ ...reservation, workspace })).kind;
  };
  await ledger.operator.raiseFences(new Map([['payments/checkout', 50]]));
  for (let n = 0; n < 500; n += 1) {
    await ledger.operator.raiseFences(new Map([[`churn/workspace-${n}`, 100 + n]]));
    await ledger.operator.forgetFences(new Map([[`churn/workspace-${n}`, 101 + n]]));
  }
  expect(await ledger.operator.fences()).toEqual(new Map([['payments/checkout', 50]]));
  const redis = new Redis(server.url);
  expect(await redis.hgetall(`{tollgate:${installation}}:fences`)).toEqual({ 'payments/checkout': '50', '': '600' });
  redis.disconnect();
  // A gateway that was away since the workspace was deleted, and one that has it as it was made again.
  expect(await ask('churn/workspace-0', 100)).toBe('stale');
  expect(await ask('churn/workspace-499', 599)).toBe('stale');
  expect(await ask('churn/workspace-0', 600)).toBe('admitted');
  // A workspace in force has a fence of its own.
  expect(await ask('payments/checkout', 50)).toBe('admitted');
  expect(await ask('payments/checkout', 49)).toBe('stale');
  // A fence that is lower than what was forgotten counts all the same: clocks of operators differ.
  await ledger.operator.raiseFences(new Map([['churn/workspace-0', 550]]));
  expect(await ask('churn/workspace-0', 551)).toBe('admitted');
  await ledger.operator.forgetFences(new Map([['churn/workspace-0', 1]]));
  expect(await ask('churn/workspace-0', 552)).toBe('stale');
  ledger.close();
});
