import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { Temporal } from 'temporal-polyfill';
import { type Child, launch, responds } from '../../../hack/services/processes.ts';
import type { Redis } from '../../../hack/services/redis.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import { budgetPeriodAt } from '../../../policy/core/budget-period.ts';
import type { CompiledBudget } from '../../../policy/core/compiled-policy.ts';
import type { Counter } from '../../../policy/core/counter-reading.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import type { Bill } from '../../fakes/upstream/books.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { shifted } from '../../support/clock.ts';
import { cluster } from '../../support/cluster.ts';
import { startRedis } from '../../support/redis.ts';
import { testSize } from '../../support/test-size.ts';
import { until } from '../../support/until.ts';
import { ask, message } from '../gateway/harness.ts';
import { budget, handover } from '../gateway/policies.ts';
import { writeShards } from '../gateway/shards.ts';

/** How wrong the gateways' clocks are, each by so much. Milliseconds; the ledger's is right. */
const WRONG_BY = [60_000, -60_000];
/** From the start of the processes to midnight, and from the first call to it at least. Milliseconds. */
const LEAD_MS = testSize({ short: 28_000, long: 40_000 });
const SPEND_MS = 12_000;
/** For how long calls go on after midnight: a part of the new money is spent then. */
const AFTER_MS = 4_000;
const WORKERS = 2;

let upstream: Upstream;
const directory = mkdtempSync(join(tmpdir(), 'tollgate-rollover-'));
const children: Child[] = [];
const ledgers: RedisLedger[] = [];

beforeAll(async () => {
  upstream = await startUpstream();
});

afterEach(async () => {
  upstream.release();
  for (const ledger of ledgers.splice(0)) ledger.close();
  await Promise.all(children.splice(0).map((child) => child.kill()));
});

afterAll(async () => {
  await upstream.close();
  rmSync(directory, { recursive: true, force: true });
});

/** An instant at which a day begins in a time zone. Milliseconds since the epoch. */
interface Midnight {
  readonly name: string;
  readonly timeZone: string;
  readonly at: number;
}

/** The end of the day that now is in that zone. */
function tonight(timeZone: string): Midnight {
  const tomorrow = Temporal.Now.zonedDateTimeISO(timeZone).add({ days: 1 }).startOfDay();
  return { name: `tonight in ${timeZone}`, timeZone, at: tomorrow.epochMilliseconds };
}

/** The beginning or the end of the next day that has so many hours in a zone. */
function dayOf(hours: 23 | 25, timeZone: string, edge: 'begins' | 'ends'): Midnight {
  let change: Temporal.ZonedDateTime | null = Temporal.Now.zonedDateTimeISO(timeZone);
  do change = change.getTimeZoneTransition('next');
  while (change !== null && change.hoursInDay !== hours);
  if (change === null) throw new Error(`no day has ${hours} hours in ${timeZone}`);
  const at = (edge === 'begins' ? change : change.add({ days: 1 })).startOfDay();
  return { name: `the day of ${hours} hours ${edge} in ${timeZone}`, timeZone, at: at.epochMilliseconds };
}

/** One zone's installation: a ledger whose midnight is near and two gateways that disagree with it. */
interface Place {
  readonly midnight: Midnight;
  readonly daily: CompiledBudget;
  readonly redis: Redis;
  readonly ledger: RedisLedger;
  readonly gateways: readonly string[];
}

/** Brings a place up so that its ledger's clock reads midnight when ours reads `zero`. */
async function open(midnight: Midnight, zero: number): Promise<Place> {
  const shift = midnight.at - zero;
  const folder = mkdtempSync(join(directory, 'place-'));
  const redis = await startRedis({
    directory: folder,
    launch: (command, probe) => launch({ ...command, env: shifted(process.env, shift) }, probe),
  });
  children.push(redis);
  const namespace = await cluster().namespace('rollover');
  const daily = budget('daily', '0.10', { period: { every: 'Day', timeZone: midnight.timeZone } });
  await writeShards(
    cluster(),
    namespace,
    handover({ baseURL: upstream.url, budgets: [daily], rest: { headers: { user: 'x-tollgate-user' } } }),
  );
  const settings = join(folder, 'settings.yaml');
  writeFileSync(settings, JSON.stringify({ namespace, upstreams: [upstream.url], shards: 1, waitSeconds: 0 }));
  const ledger = connectLedger({ url: redis.url, installation: 'tollgate', epoch: () => 'first' });
  ledgers.push(ledger);
  await until(() =>
    ledger.operator.establish('first').then(
      () => true,
      () => false,
    ),
  );
  const starting = WRONG_BY.map((wrongBy) => startGateway({ folder, settings, redis, shift: shift + wrongBy }));
  return { midnight, daily, redis, ledger, gateways: await Promise.all(starting) };
}

interface GatewayOptions {
  readonly folder: string;
  readonly settings: string;
  readonly redis: Redis;
  readonly shift: number;
}

/** Starts a gateway on a port that it takes and logs by itself, since a port that was free before may be taken meanwhile. */
async function startGateway({ folder, settings, redis, shift }: GatewayOptions): Promise<string> {
  const name = `gateway${shift}`;
  const env = {
    PATH: process.env['PATH'],
    KUBECONFIG: trusting(folder),
    POD_NAME: name,
    PORT: '0',
    REDIS_URL: redis.url,
    TOLLGATE_SHUTDOWN_DELAY_SECONDS: '0',
    TOLLGATE_SETTINGS: settings,
  };
  const main = join(import.meta.dirname, '../../../gateway/main.ts');
  const logFile = join(folder, `${name}.log`);
  const url = () => `http://127.0.0.1:${/"port":(\d+)/.exec(readFileSync(logFile, 'utf8'))?.[1]}`;
  const command = { name, command: process.execPath, args: [main], logFile };
  children.push(await launch({ ...command, env: shifted(env, shift) }, () => responds(`${url()}/readyz`)));
  return url();
}

/** A kubeconfig that takes the API server's certificate also where it has expired by the gateway's clock. */
function trusting(folder: string): string {
  const config = JSON.parse(readFileSync(cluster().kubeconfig, 'utf8')) as { clusters: [{ cluster: object }] };
  const { server } = cluster();
  config.clusters[0].cluster = { server, 'insecure-skip-tls-verify': true };
  const file = join(folder, 'kubeconfig');
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

/** One call as its caller saw it. Instants by our clock, in milliseconds. */
interface Seen {
  readonly mark: string;
  readonly sent: number;
  readonly answered: number;
  readonly status: number;
}

/** What happened at one place. */
interface Night {
  readonly place: Place;
  readonly calls: Seen[];
  /** Streams that were admitted long before midnight and end long after it. */
  readonly held: Promise<Seen>[];
  /** Since when nothing more fits: a call in a row of refusals. */
  spentAt: number | null;
}

const WORST = { max_tokens: 100, messages: [{ role: 'user', content: 'Good night. '.repeat(20) }] };

async function call(place: Place, gateway: number, mark: string, behaviour: object = {}): Promise<Seen> {
  const sent = Date.now();
  const { status } = await ask(place.gateways[gateway] ?? '', {
    body: message({ ...WORST, stream: 'holdAfter' in behaviour }),
    headers: {
      'x-tollgate-user': mark,
      'x-stainless-stand-in': JSON.stringify({ mark, usage: { output_tokens: 90 }, ...behaviour }),
    },
  });
  return { mark, sent, answered: Date.now(), status };
}

/** Spends all there is, goes on asking through midnight, and asks less often once there is new money. */
async function spend(night: Night, zero: number): Promise<void> {
  const { place, calls, held } = night;
  const name = place.midnight.name;
  for (let n = 0; n < 4; n++) held.push(call(place, n % 2, `${name}/held-${n}`, { holdAfter: 1 }));
  let refusedInARow = 0;
  const work = async (worker: number): Promise<void> => {
    for (let n = 0; Date.now() < zero + AFTER_MS; n++) {
      const seen = await call(place, worker % 2, `${name}/${worker}-${n}`);
      calls.push(seen);
      refusedInARow = seen.status === 429 ? refusedInARow + 1 : 0;
      if (refusedInARow >= 20) night.spentAt ??= Date.now();
      await sleep(Date.now() >= zero ? 400 : night.spentAt === null ? 0 : 100);
    }
  };
  await Promise.all(Array.from({ length: WORKERS * WRONG_BY.length }, (_, worker) => work(worker)));
}

/** The places with their clocks at midnight when ours reads `zero`; again, and later, where that was too soon. */
async function openAll(midnights: readonly Midnight[], leadMs = LEAD_MS): Promise<{ places: Place[]; zero: number }> {
  const zero = Date.now() + leadMs;
  const places = await Promise.all(midnights.map((midnight) => open(midnight, zero)));
  if (Date.now() < zero - SPEND_MS) return { places, zero };
  if (leadMs > 2 * LEAD_MS) throw new Error('the processes do not come up in time');
  await Promise.all(children.splice(0).map((child) => child.kill()));
  return openAll(midnights, 2 * leadMs);
}

async function counterAt({ ledger, daily }: Place, instant: number): Promise<Counter> {
  const [reading] = await ledger.operator.read([budgetFiguresQuery(daily, instant)]);
  return reading!.total;
}

async function bills(): Promise<Map<string, bigint>> {
  const found = (await (await fetch(`${upstream.url}/bills?after=0`)).json()) as Bill[];
  return new Map(found.map(({ mark, nanoUsd }) => [mark, BigInt(nanoUsd)]));
}

function sumOf(marks: readonly string[], charged: ReadonlyMap<string, bigint>): bigint {
  return marks.reduce((total, mark) => total + (charged.get(mark) ?? 0n), 0n);
}

test('at midnight there is new money, at once and not before, and every call is in one period', async () => {
  const midnights = [
    // Its clocks go forward at midnight: the day begins at one o'clock.
    dayOf(23, 'Africa/Cairo', 'begins'),
    dayOf(25, 'America/New_York', 'ends'),
    tonight('Asia/Kolkata'),
    dayOf(23, 'America/New_York', 'ends'),
    tonight('Pacific/Apia'),
  ];
  const { places, zero } = await openAll(midnights.slice(0, testSize({ short: 3, long: midnights.length })));
  const nights: Night[] = places.map((place) => ({ place, calls: [], held: [], spentAt: null }));
  await Promise.all(nights.map((night) => spend(night, zero)));
  upstream.release();
  const held = await Promise.all(nights.map((night) => Promise.all(night.held)));
  const charged = await bills();
  for (const [index, night] of nights.entries()) {
    await expectOneNight(night, held[index] ?? [], zero, charged);
  }
});

async function expectOneNight(
  { place, calls, spentAt }: Night,
  held: readonly Seen[],
  zero: number,
  charged: ReadonlyMap<string, bigint>,
): Promise<void> {
  const { midnight, ledger, daily } = place;
  const spent = spentAt ?? Number.POSITIVE_INFINITY;
  expect([midnight.name, spent]).toEqual([midnight.name, expect.any(Number)]);
  expect(spent).toBeLessThan(zero - 1_000);
  // New money is there for every call from midnight on, and for none that was answered before.
  const early = calls.filter(({ sent, answered }) => sent > spent && answered < zero);
  const late = calls.filter(({ sent }) => sent > zero + 5);
  expect(new Set(early.map(({ status }) => status))).toEqual(new Set([429]));
  expect(new Set(late.map(({ status }) => status))).toEqual(new Set([200]));
  // Each call is in the period in which it was admitted, however late it ended.
  const admitted = calls.filter(({ status }) => status === 200);
  const before = [...admitted.filter(({ sent }) => sent <= spent), ...held].map(({ mark }) => mark);
  const after = admitted.filter(({ sent }) => sent > spent).map(({ mark }) => mark);
  const last = midnight.at - 1;
  await until(async () => (await counterAt(place, last)).committedNano === (await counterAt(place, last)).spentNano);
  const old = await counterAt(place, last);
  expect(old).toMatchObject({ spentNano: sumOf(before, charged), requests: before.length });
  expect(old.spentNano).toBeLessThanOrEqual(daily.limitNano);
  const [reading] = await ledger.operator.read([budgetFiguresQuery(daily, midnight.at)]);
  expect(reading!.total).toMatchObject({ spentNano: sumOf(after, charged), requests: after.length });
  const records = await ledger.operator.readUsage(10_000);
  const periods = [midnight.at - 1, midnight.at].map((instant) => budgetPeriodAt(daily, instant).counter);
  const booked = new Map(records.map(({ record, counters }) => [record['user'], counters]));
  expect(booked).toEqual(new Map([...before.map(inPeriod(periods[0])), ...after.map(inPeriod(periods[1]))]));
  expect(records).toHaveLength(booked.size);
}

function inPeriod(counter: string | undefined): (mark: string) => [string, string[]] {
  return (mark) => [mark, [counter ?? '']];
}
