import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { formatUsd, parseUsd, nano as toNano } from '../../../policy/core/money.ts';
import { startProxy, type Proxy } from '../../support/proxy.ts';
import { cutTail, restore, snapshot, tailOf, wipe } from '../../support/redis-files.ts';
import { startRedis } from '../../support/redis.ts';
import { type Resumption, TestSystem, type Spender } from './test-system.ts';

const LIMIT = '0.60';
/** The worst case of one call of the load, rounded up a little. */
const WORST = parseUsd('0.005');
const figures: string[] = [];
let redis: Awaited<ReturnType<typeof startRedis>>;
let proxy: Proxy;
let system: TestSystem;
let old: string;
let running: Spender[] = [];

beforeAll(async () => {
  redis = await startRedis();
  proxy = await startProxy(redis.port);
  system = await TestSystem.open(redis.url, redis.url.replace(`:${redis.port}`, `:${proxy.port}`));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ load }) => load.stop()));
});

afterAll(async () => {
  await system?.close();
  await proxy?.stop();
  await redis?.stop();
  process.stderr.write(`${figures.join('\n')}\n`);
});

async function spender(name: string): Promise<Spender> {
  const begun = await system.spender(name, LIMIT);
  running.push(begun);
  return begun;
}

/** Kills Redis, changes its files, starts it again, and waits until calls resume. */
async function afterKill(one: Spender, change: () => void): Promise<Resumption> {
  await redis.kill();
  const requests = await system.requestsOnceStill(one);
  change();
  redis = await startRedis({ directory: redis.directory, port: redis.port, password: redis.password });
  return system.resumption(one, requests);
}

/** Spends the rest, and compares the counters with the upstream's bill. `lost` nano-dollars were in flight on gateways that died. */
async function expectKept(name: string, one: Spender, back: Resumption, lost = 0n): Promise<void> {
  await system.spent(one);
  const { spentNano, certainNano } = await one.counter();
  const { nano } = await one.owed();
  const figure = `calls back after ${(back.ms / 1000).toFixed(1)} s (${back.states.join(', ')})`;
  figures.push(
    `${name}: ${figure}; books $${formatUsd(toNano(nano))}, spent $${formatUsd(spentNano)}, with presumed $${formatUsd(certainNano)} of $${LIMIT}`,
  );
  expect(back.early).toBe(0);
  expect(nano).toBeLessThanOrEqual(parseUsd(LIMIT) + lost);
  expect(certainNano).toBeGreaterThanOrEqual(nano - lost);
}

describe('Redis comes back under load', () => {
  test('with its data: everything is as it was, to the nano-dollar', async () => {
    const one = await spender('restarted');
    await system.answered(one, 60);
    const back = await afterKill(one, () => undefined);
    expect(back.states).not.toContain('deep');
    await expectKept('restarted with its data', one, back);
    expect((await one.counter()).spentNano).toBe((await one.owed()).nano);
    old = snapshot(redis.directory);
  });

  test('without the last writes before a power failure: the gateways write them again', async () => {
    const one = await spender('cut');
    await system.answered(one, 60);
    const length = tailOf(redis.directory);
    const { spentNano } = await one.counter();
    await system.answered(one, 100);
    expect((await one.counter()).spentNano).toBeGreaterThan(spentNano);
    const back = await afterKill(one, () => cutTail(redis.directory, length));
    expect(back.states).not.toContain('deep');
    await expectKept('append-only file cut', one, back);
    expect((await one.counter()).spentNano).toBe((await one.owed()).nano);
  });

  test('empty, after a gateway was killed: rebuilt from what is in flight, the log and the statuses', async () => {
    const one = await spender('wiped');
    await system.answered(one, 60);
    process.kill(system.installation.pid('tollgate-gateway-2'), 'SIGKILL');
    await system.logged();
    const torn = one.load.torn;
    const back = await afterKill(one, () => wipe(redis.directory));
    await system.installation.revive('tollgate-gateway-2');
    expect(back.states).toContain('deep');
    await expectKept('wiped', one, back, BigInt(Math.min(torn, 16)) * WORST);
  });

  test('with an old snapshot: nothing that was spent since is lost', async () => {
    const one = await spender('older');
    await system.answered(one, 100);
    const back = await afterKill(one, () => restore(redis.directory, old));
    expect(back.states).toContain('deep');
    await expectKept('older snapshot', one, back);
  });
});

describe('Redis under load', () => {
  test('is full: nothing is admitted, everything in flight is settled, and calls resume when there is memory', async () => {
    const one = await spender('full');
    await system.answered(one, 60);
    const client = new Client(redis.url);
    await client.config('SET', 'maxmemory', '1mb');
    const requests = await system.requestsOnceStill(one);
    await sleep(2_000);
    expect(await system.requestsOnceStill(one)).toBe(requests);
    const { committedNano, certainNano } = await one.counter();
    expect(committedNano).toBe(certainNano);
    await client.config('SET', 'maxmemory', '0');
    client.disconnect();
    await expectKept('full', one, await system.resumption(one, requests));
    expect((await one.counter()).spentNano).toBe((await one.owed()).nano);
  });

  test('is 100 ms away: calls are slower, and nothing else changes', async () => {
    proxy.delay(100);
    const one = await spender('slow');
    await system.answered(one, 60);
    await system.spent(one);
    expect(one.load.turnedAway).toBe(0);
    const { nano } = await one.owed();
    expect(nano).toBeLessThanOrEqual(parseUsd(LIMIT));
    expect((await one.counter()).spentNano).toBe(nano);
    proxy.delay(0);
  });
});
