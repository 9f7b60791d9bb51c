import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { LedgerUnreachable } from '../../../ledger/ledger.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { Counter, Reading } from '../../../policy/core/counter-reading.ts';
import { cutTail, tailOf } from '../../support/redis-files.ts';
import { startRedis } from '../../support/redis.ts';
import { BUDGETS, counterOf, type Event, INSTALLATION } from './racer.ts';

/**
 * Several processes reserve in overlapping budgets on a real Redis. Whatever is killed meanwhile, no counter is above its
 * cap except during a recovery, which admits nothing; and in the end the ledger holds what the processes recorded.
 */

const CALLS = 700;
const PREFIX = `{tollgate:${INSTALLATION}}`;
const queries = Object.entries(BUDGETS).map(([name, { per }]) => ({
  counter: counterOf(name),
  per: per !== null,
  top: 100,
  also: [],
}));

interface Racer {
  readonly name: string;
  /** The path of its file of events. */
  readonly events: string;
  readonly child: ChildProcess;
}

/** `lives`: after how many reservations each of them dies; by default none does. */
async function race(names: readonly string[], url: string, ...lives: readonly string[]): Promise<Racer[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tollgate-races-'));
  const racers = names.map((name) => {
    const events = join(directory, name);
    const child = fork(join(import.meta.dirname, 'racer.ts'), [url, name, events, `${CALLS}`, ...lives], {
      execArgv: [],
    });
    return { name, events, child };
  });
  await Promise.all(racers.map(({ child }) => once(child, 'message')));
  return racers;
}

/** Reads all counters repeatedly until stopped. Returns how often it read, and each cap that was passed. */
function watchCaps(ledger: RedisLedger): () => Promise<{ looks: number; breaches: string[] }> {
  const stop = new AbortController();
  const breaches: string[] = [];
  let looks = 0;
  const watching = (async () => {
    while (!stop.signal.aborted) {
      const readings = await look(ledger).catch((error: unknown) => {
        if (!(error instanceof LedgerUnreachable)) throw error;
        return [];
      });
      looks += readings.length > 0 ? 1 : 0;
      breaches.push(...readings.flatMap(breachesOf));
      await sleep(5);
    }
  })();
  return async () => {
    stop.abort();
    await watching;
    return { looks, breaches };
  };
}

/** Nothing during a recovery: what one session has replayed then stands beside what another has not. */
async function look(ledger: RedisLedger): Promise<readonly Reading[]> {
  const before = await ledger.operator.state();
  const readings = await ledger.operator.read(queries);
  const after = await ledger.operator.state();
  return before.recovering === null && after.recovering === null ? readings : [];
}

function breachesOf({ total, values }: Reading, index: number): string[] {
  const [name, { cap, total: over }] = Object.entries(BUDGETS)[index]!;
  const breaks = (what: string, { committedNano }: Counter, limit: bigint): string[] =>
    committedNano > limit ? [`${what}: ${committedNano} > ${limit}`] : [];
  return [...breaks(name, total, over ?? cap), ...values.flatMap((one) => breaks(one.value, one, cap))];
}

/** What each counter must hold by the events of all processes, and by the stream for those that were killed. */
async function expectBalanced(ledger: RedisLedger, raw: Redis, racers: readonly Racer[]): Promise<void> {
  const events = racers.flatMap((racer) => readFileSync(racer.events, 'utf8').trim().split('\n')).map(parse);
  const reserved = new Map(events.flatMap((event) => (event.kind === 'reserve' ? [[event.id, event] as const] : [])));
  const settled = new Map(events.flatMap((event) => (event.kind === 'settle' ? [[event.id, event] as const] : [])));
  const stream = await ledger.operator.readUsage(100_000);
  const finals = stream.filter(({ record }) => record['state'] === 'final');
  const records = finals.map(({ record, counters }) => ({
    id: record['id'] as string,
    cost: Number(record['cost_nano']),
    counters,
  }));
  // Nothing that was acknowledged is missing, nothing is there twice.
  expect(new Set(records.map(({ id }) => id)).size).toBe(records.length);
  const streamed = new Map(records.map((record) => [record.id, record.cost]));
  for (const { id, cost } of settled.values()) expect([id, streamed.get(id)]).toEqual([id, cost]);

  const presumed = await raw.hkeys(`${PREFIX}:presumed`);
  const sums = new Map<string, { spent: number; certain: number; requests: number }>();
  const add = (counters: readonly string[], spent: number, certain: number, requests: number): void => {
    for (const counter of counters) {
      const sum = sums.get(counter) ?? { spent: 0, certain: 0, requests: 0 };
      sums.set(counter, {
        spent: sum.spent + spent,
        certain: sum.certain + certain,
        requests: sum.requests + requests,
      });
    }
  };
  for (const { cost, counters } of records) add(counters, cost, cost, 1);
  for (const id of presumed) {
    const { worst, counters } = reserved.get(id)!;
    // Of a settled call the rest, of one whose gateway was killed all of it.
    add(counters, 0, worst - (streamed.get(id) ?? 0), 0);
  }
  const readings = await ledger.operator.read(queries);
  for (const [index, { total, values }] of readings.entries()) {
    const { counter } = queries[index]!;
    const held = [{ value: '', ...total }, ...values];
    for (const { value, spentNano, certainNano, committedNano, requests } of held) {
      const { spent, certain, requests: count } = sums.get(value === '' ? counter : `${counter}#${value}`)!;
      const actual = { value, spentNano, certainNano, committedNano, requests };
      const own = { value, spentNano: BigInt(spent), certainNano: BigInt(certain), requests: count };
      expect(actual).toEqual({ ...own, committedNano: BigInt(certain) });
    }
  }
}

function parse(line: string): Event {
  return JSON.parse(line) as Event;
}

/** Tells it to leave, and waits until it has. */
async function finished({ child }: Racer): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, 'exit');
  child.send('leave', () => undefined); // it may die meanwhile
  const [code] = await ended;
  return code as unknown;
}

async function opened(url: string): Promise<RedisLedger> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onReachable = (reachable: boolean): void => void (reachable && resolve());
  const ledger = connectLedger({ url, installation: INSTALLATION, epoch: () => 'races', onReachable });
  await promise;
  return ledger;
}

describe('processes that share budgets', () => {
  test('never pass a cap, and leave presumed money when they are killed', async () => {
    const redis = await startRedis();
    const ledger = await opened(redis.url);
    const raw = new Redis(redis.url);
    await ledger.operator.establish('races');
    const stop = watchCaps(ledger);
    const [living, killed] = await Promise.all([race(['a', 'b'], redis.url), race(['c', 'd'], redis.url, '20')]);
    const racers = [...living, ...killed];
    await Promise.all(killed.map(finished));
    const held = (await Promise.all(killed.map(({ name }) => raw.hkeys(`${PREFIX}:open:${name}`)))).flat();
    expect(held.length).toBeGreaterThan(1);
    expect(await Promise.all(living.map(finished))).toEqual([0, 0]);
    // As if a lease's time had passed, which on a busy machine it has.
    for (const { name } of killed) await raw.zadd(`${PREFIX}:beats`, 'XX', 1, name);
    await ledger.operator.sweep();
    expect(await raw.hkeys(`${PREFIX}:presumed`)).toEqual(expect.arrayContaining(held));
    const { looks, breaches } = await stop();
    expect({ breaches, looked: looks > 10 }).toEqual({ breaches: [], looked: true });
    expect(await ledger.operator.gateways()).toEqual([]);
    await expectBalanced(ledger, raw, racers);
    const [workspace] = await ledger.operator.read(queries);
    expect(workspace!.total.certainNano).toBeGreaterThan(workspace!.total.spentNano);
    raw.disconnect();
    ledger.close();
    await redis.stop();
  });

  test.each([
    ['with its log', false],
    ['without the end of its log, which they replay', true],
  ])(
    'lose nothing when Redis is killed in the middle and comes back %s',
    async (_, isCut) => {
      const first = await startRedis();
      const ledger = await opened(first.url);
      await ledger.operator.establish('races');
      const racers = await race(['a', 'b', 'c'], first.url);
      const stop = watchCaps(ledger);
      while ((await ledger.operator.state()).streamLength < 300) await sleep(5);
      const length = tailOf(first.directory);
      while ((await ledger.operator.state()).streamLength < 400) await sleep(5);
      await first.kill();
      if (isCut) cutTail(first.directory, length);
      const second = await startRedis(first);
      expect(await Promise.all(racers.map(finished))).toEqual([0, 0, 0]);
      expect((await stop()).breaches).toEqual([]);
      ledger.close();
      // A client of its own: the one that looked on may still be on its way back when the others have finished.
      const after = await opened(second.url);
      const raw = new Redis(second.url);
      expect(await after.operator.state()).toMatchObject({ lost: null, recovering: null });
      await expectBalanced(after, raw, racers);
      raw.disconnect();
      after.close();
      await second.stop();
    },
    120_000,
  );
});
