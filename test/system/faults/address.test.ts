import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { parseUsd } from '../../../policy/core/money.ts';
import { type Proxy, startProxy } from '../../support/proxy.ts';
import { startRedis } from '../../support/redis.ts';
import { TestSystem } from './test-system.ts';

// A managed Redis: one address, behind which another server becomes the master and no connection is closed.

const LIMIT = '0.60';
let first: Awaited<ReturnType<typeof startRedis>>;
let second: Awaited<ReturnType<typeof startRedis>>;
let address: Proxy;
let system: TestSystem;

beforeAll(async () => {
  first = await startRedis();
  const replica = [`replicaof 127.0.0.1 ${first.port}`, `masterauth ${first.password}`, 'repl-diskless-sync-delay 0'];
  second = await startRedis({ password: first.password, configuration: replica });
  address = await startProxy(first.port);
  // The test reads the replica, which becomes the master.
  system = await TestSystem.open(second.url, first.url.replace(`:${first.port}`, `:${address.port}`));
});

afterAll(async () => {
  await system?.close();
  await address?.stop();
  await Promise.all([first?.stop(), second?.stop()]);
});

test('the address moves to another master: calls wait and go on, and nothing is lost or booked twice', async () => {
  const one = await system.spender('moved', LIMIT);
  await system.answered(one, 60);
  const [old, next] = [new Client(first.url), new Client(second.url)];
  await old.config('SET', 'masterauth', first.password);
  await next.replicaof('NO', 'ONE');
  address.lead(second.port);
  await old.replicaof('127.0.0.1', `${second.port}`);

  const since = performance.now();
  await system.recovered();
  await system.answered(one, one.load.answered + 20);
  const seconds = (performance.now() - since) / 1000;
  process.stderr.write(`the address moved: calls were back after ${seconds.toFixed(1)} s\n`);
  expect(one.load.turnedAway).toBe(0);
  await system.spent(one);
  const { spentNano } = await one.counter();
  const { nano } = await one.owed();
  expect(nano).toBeLessThanOrEqual(parseUsd(LIMIT));
  expect(spentNano).toBe(nano);
  // The operator is there too: what was spent since reaches the status.
  await system.logged();
  old.disconnect();
  next.disconnect();
});
