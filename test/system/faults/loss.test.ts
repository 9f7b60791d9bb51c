import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { formatUsd, parseUsd } from '../../../policy/core/money.ts';
import { startProxy, type Proxy } from '../../support/proxy.ts';
import { cutTail, restore, snapshot, tailOf, wipe } from '../../support/redis-files.ts';
import { startRedis } from '../../support/redis.ts';
import { type Comeback, Ground, type Spender } from './ground.ts';

const LIMIT = '0.60';
/** What one call of the load costs at most, a little rounded up. */
const WORST = parseUsd('0.005');
const figures: string[] = [];
let redis: Awaited<ReturnType<typeof startRedis>>;
let proxy: Proxy;
let ground: Ground;
let old: string;
let running: Spender[] = [];

beforeAll(async () => {
  redis = await startRedis();
  proxy = await startProxy(redis.port);
  ground = await Ground.open(redis.url, redis.url.replace(`:${redis.port}`, `:${proxy.port}`));
}, 120_000);

afterEach(async () => {
  await Promise.all(running.splice(0).map(({ load }) => load.stop()));
});

afterAll(async () => {
  await ground?.close();
  await proxy?.stop();
  await redis?.stop();
  process.stderr.write(`${figures.join('\n')}\n`);
});

async function spender(name: string): Promise<Spender> {
  const begun = await ground.spender(name, LIMIT);
  running.push(begun);
  return begun;
}

/** Kills Redis, lets `happen` happen to its files, starts it, and watches how calls come back. */
async function afterKill(one: Spender, happen: () => void): Promise<Comeback> {
  await redis.kill();
  const requests = await ground.still(one);
  happen();
  redis = await startRedis({ directory: redis.directory, port: redis.port, password: redis.password });
  return ground.comeback(one, requests);
}

/** Spends the rest, and holds the counters against the upstream's books. `lost` was in flight on gateways that died. */
async function expectKept(name: string, one: Spender, back: Comeback, lost = 0n): Promise<void> {
  await ground.spent(one);
  const { spentNano, certainNano } = await one.counter();
  const { nano } = await one.owed();
  const figure = `calls back after ${(back.ms / 1000).toFixed(1)} s (${back.states.join(', ')})`;
  figures.push(
    `${name}: ${figure}; books $${formatUsd(nano)}, spent $${formatUsd(spentNano)}, with presumed $${formatUsd(certainNano)} of $${LIMIT}`,
  );
  expect(back.early).toBe(0);
  expect(nano).toBeLessThanOrEqual(parseUsd(LIMIT) + lost);
  expect(certainNano).toBeGreaterThanOrEqual(nano - lost);
}

describe('Redis comes back under load', () => {
  test('with its data: everything is as it was, to the nano-dollar', async () => {
    const one = await spender('restarted');
    await ground.answered(one, 60);
    const back = await afterKill(one, () => undefined);
    expect(back.states).not.toContain('deep');
    await expectKept('restarted with its data', one, back);
    expect((await one.counter()).spentNano).toBe((await one.owed()).nano);
    old = snapshot(redis.directory);
  });

  test('without the last moment before a power failure: the gateways write it again', async () => {
    const one = await spender('cut');
    await ground.answered(one, 60);
    const length = tailOf(redis.directory);
    const { spentNano } = await one.counter();
    await ground.answered(one, 100);
    expect((await one.counter()).spentNano).toBeGreaterThan(spentNano);
    const back = await afterKill(one, () => cutTail(redis.directory, length));
    expect(back.states).not.toContain('deep');
    await expectKept('append-only file cut', one, back);
    expect((await one.counter()).spentNano).toBe((await one.owed()).nano);
  });

  test('empty, after a gateway was killed: rebuilt from what is in flight, the log and the statuses', async () => {
    const one = await spender('wiped');
    await ground.answered(one, 60);
    process.kill(ground.installation.pid('tollgate-gateway-2'), 'SIGKILL');
    await ground.logged();
    const torn = one.load.torn;
    const back = await afterKill(one, () => wipe(redis.directory));
    await ground.installation.revive('tollgate-gateway-2');
    expect(back.states).toContain('deep');
    await expectKept('wiped', one, back, BigInt(Math.min(torn, 16)) * WORST);
  });

  test('with a snapshot of long ago: nothing that was spent since is forgotten', async () => {
    const one = await spender('older');
    await ground.answered(one, 100);
    const back = await afterKill(one, () => restore(redis.directory, old));
    expect(back.states).toContain('deep');
    await expectKept('older snapshot', one, back);
  });
});

describe('Redis under load', () => {
  test('is full: nothing is admitted, everything in flight is booked, and it goes on when there is room', async () => {
    const one = await spender('full');
    await ground.answered(one, 60);
    const client = new Client(redis.url);
    await client.config('SET', 'maxmemory', '1mb');
    const requests = await ground.still(one);
    await sleep(2_000);
    expect(await ground.still(one)).toBe(requests);
    const { committedNano, certainNano } = await one.counter();
    expect(committedNano).toBe(certainNano);
    await client.config('SET', 'maxmemory', '0');
    client.disconnect();
    await expectKept('full', one, await ground.comeback(one, requests));
    expect((await one.counter()).spentNano).toBe((await one.owed()).nano);
  });

  test('is 100 ms away: calls are slower, and nothing else', async () => {
    proxy.delay(100);
    const one = await spender('slow');
    await ground.answered(one, 60);
    await ground.spent(one);
    expect(one.load.turnedAway).toBe(0);
    const { nano } = await one.owed();
    expect(nano).toBeLessThanOrEqual(parseUsd(LIMIT));
    expect((await one.counter()).spentNano).toBe(nano);
    proxy.delay(0);
  });
});
