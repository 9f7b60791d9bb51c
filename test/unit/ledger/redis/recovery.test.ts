import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { MIN_RECOVERY_MS, REPLAY_TIMEOUT_MS } from '../../../../ledger/durations.ts';
import type { LedgerState } from '../../../../ledger/ledger.ts';
import type { CounterMinimum } from '../../../../ledger/operator-ledger.ts';
import type { StreamEntry } from '../../../../ledger/streams.ts';
import { nano } from '../../../../policy/core/money.ts';
import { cutTail, restore, snapshot, tailOf, wipe } from '../../../support/redis-files.ts';
import { startRedis } from '../../../support/redis.ts';
import { CAP, LoadedGateway, query, until } from './loaded-gateway.ts';

/**
 * What a real Redis loses when it fails under load, and how its sessions replay it. Each gateway records what it settled:
 * that is what the counters must say afterwards.
 */

type Server = Awaited<ReturnType<typeof startRedis>>;
let server: Server;
let gateways: LoadedGateway[] = [];

afterEach(async () => {
  await Promise.all(gateways.map((one) => one.close()));
  gateways = [];
  await server.stop();
});

/** Two gateways under load, each with more than 50 settled calls. */
async function underLoad(): Promise<LoadedGateway[]> {
  server = await startRedis();
  gateways = ['a', 'b'].map((name) => new LoadedGateway(server.url, name));
  await until(() => gateways[0]!.ledger.operator.establish('one').then(() => true));
  for (const gateway of gateways) gateway.start(6);
  await until(async () => gateways.every(({ settled }) => settled.size > 50));
  return gateways;
}

async function state(): Promise<LedgerState> {
  return until(() => gateways[0]!.ledger.operator.state());
}

/** Kills Redis, changes its files with `damage` and starts it again. Returns when it was down, milliseconds since the epoch. */
async function restartAfter(damage: () => void): Promise<number> {
  await server.kill();
  await nextTurn(); // its last answers have been read
  const back = Date.now();
  damage();
  server = await startRedis({ directory: server.directory, port: server.port, password: server.password });
  return back;
}

/** Calls are admitted again, and not before the recovery was over. */
async function expectAdmission(back: number): Promise<void> {
  await until(async () => gateways.every(({ admittedAt }) => admittedAt > back));
  // Nothing was admitted during the shortest possible recovery.
  for (const { admittedAt } of gateways) expect(admittedAt - back).toBeGreaterThanOrEqual(MIN_RECOVERY_MS);
}

/** The counters are to the nano-dollar what the gateways recorded. */
async function expectExact(): Promise<void> {
  await Promise.all(gateways.map((one) => one.finishCalls()));
  const [reading] = await gateways[0]!.ledger.operator.read([query]);
  const costs = gateways.flatMap(({ settled }) => [...settled.values()]);
  const spentNano = costs.reduce((sum, cost) => sum + cost, 0n);
  const exact = { spentNano, certainNano: spentNano, committedNano: spentNano, requests: costs.length };
  expect(reading!.total).toMatchObject(exact);
  expect(reading!.values[0]).toMatchObject(exact);
  expect(spentNano).toBeLessThanOrEqual(CAP);
  const stream = await gateways[0]!.ledger.operator.readUsage(100_000);
  expect(new Set(stream.map(({ record }) => record['id'])).size).toBe(costs.length);
}

describe('a Redis that fails under load', () => {
  test('killed, back with its data: exact, and calls go on once all gateways have replayed their changes', async () => {
    await underLoad();
    await expectAdmission(await restartAfter(() => {}));
    await expectExact();
  });

  test('without the end of its log: exact, since the gateways replay it', async () => {
    await underLoad();
    const length = tailOf(server.directory);
    const before = gateways.map(({ settled }) => settled.size);
    await until(async () => gateways.every(({ settled }, index) => settled.size > before[index]! + 100));
    const back = await restartAfter(() => cutTail(server.directory, length));
    await expectAdmission(back);
    await expectExact();
  });

  test('once more during the recovery, with even older data: exact', async () => {
    await underLoad();
    const copy = snapshot(server.directory);
    const before = gateways.map(({ settled }) => settled.size);
    await until(async () => gateways.every(({ settled }, index) => settled.size > before[index]! + 100));
    const length = tailOf(server.directory);
    await sleep(200);
    await restartAfter(() => cutTail(server.directory, length));
    await until(async () => (await state()).recovering?.missing.length === 0);
    const back = await restartAfter(() => restore(server.directory, copy));
    await expectAdmission(back);
    await expectExact();
  });

  test('wiped: it waits for what the usage log knows, and the gateways replay the rest', async () => {
    await underLoad();
    const { ledger } = gateways[0]!;
    // A usage log that has some of it.
    const log: StreamEntry[] = [...(await ledger.operator.readUsage(60))];
    await ledger.operator.deleteUsage(log.map(({ entry }) => entry));
    await restartAfter(() => wipe(server.directory));
    await until(async () => (await state()).lost === 'empty');
    await sleep(200);
    await until(() => ledger.operator.beginRebuild('one').then(() => true));
    await until(async () => {
      const { recovering } = await ledger.operator.state();
      return recovering !== null && recovering.missing.length === 0 && Date.now() > recovering.since + MIN_RECOVERY_MS;
    });
    expect((await state()).recovering).toMatchObject({ deep: 'rebuild' });
    log.push(...(await ledger.operator.readUsage(100_000)));
    await ledger.operator.raiseCounters(minimumsOf(log));
    const resumed = Date.now();
    expect(gateways.every(({ admittedAt }) => admittedAt < resumed - MIN_RECOVERY_MS)).toBe(true);
    expect(await ledger.operator.resume((await state()).recovering!.since)).toBe(true);
    await until(async () => gateways.every(({ admittedAt }) => admittedAt > resumed));
    await Promise.all(gateways.map((one) => one.finishCalls()));
    const [reading] = await ledger.operator.read([query]);
    const costs = gateways.flatMap(({ settled }) => [...settled.values()]);
    const spentNano = costs.reduce((sum, cost) => sum + cost, 0n);
    expect(reading!.total).toMatchObject({ spentNano, committedNano: spentNano, requests: costs.length });
  });

  test('while a gateway dies whose changes were lost: waits for the operator, and loses nothing of the living', async () => {
    await underLoad();
    const [living, dying] = gateways as [LoadedGateway, LoadedGateway];
    const length = tailOf(server.directory);
    const before = living.settled.size;
    await until(async () => living.settled.size > before + 100);
    dying.die();
    const back = await restartAfter(() => cutTail(server.directory, length));
    const { recovering } = await until(async () => {
      const now = await living.ledger.operator.state();
      return now.recovering?.deep !== null && now.recovering !== null && now;
    });
    expect(recovering).toMatchObject({ deep: 'silentGateway', missing: [dying.name] });
    expect(Date.now() - recovering!.since).toBeGreaterThanOrEqual(REPLAY_TIMEOUT_MS);
    expect(living.admittedAt).toBeLessThan(back);
    expect(await living.ledger.operator.resume(recovering!.since)).toBe(true);
    await until(async () => living.admittedAt > back);
    await living.finishCalls();
    const [reading] = await living.ledger.operator.read([query]);
    const spentNano = [...living.settled.values()].reduce((sum, cost) => sum + cost, 0n);
    expect(reading!.total.spentNano).toBeGreaterThanOrEqual(spentNano);
  });
});

/** The totals of a usage log, which keeps one record of each call. */
function minimumsOf(log: readonly StreamEntry[]): CounterMinimum[] {
  const minimums = new Map<string, CounterMinimum>();
  const byId = new Map(log.map((entry) => [entry.record['id'], entry]));
  for (const { counters, record, keepUntil } of byId.values()) {
    for (const counter of counters) {
      const { spentNano = 0n, requests = 0 } = minimums.get(counter) ?? {};
      const cost = BigInt(record['cost_nano'] as string);
      minimums.set(counter, {
        counter,
        keepUntil,
        spentNano: nano(spentNano + cost),
        presumedNano: nano(0n),
        requests: requests + 1,
      });
    }
  }
  return [...minimums.values()];
}
