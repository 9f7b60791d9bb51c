import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WriteAheadLog } from '../../../gateway/admission/write-ahead-log.ts';
import { readConfig } from '../../../gateway/config.ts';
import { scrape } from '../../../hack/run/scrape.ts';
import type { Reservation } from '../../../ledger/reservation.ts';
import type { CompiledBudget } from '../../../policy/core/compiled-policy.ts';
import { nano } from '../../../policy/core/money.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { type Proxy, startProxy } from '../../support/proxy.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { ask, errorOf, message, type Running, startGateway, type StartOptions } from './harness.ts';
import { budget, handover } from './policies.ts';

let redis: Awaited<ReturnType<typeof startRedis>>;
let upstream: Upstream;
let proxy: Proxy;
const running: Running[] = [];

beforeAll(async () => {
  redis = await startRedis();
  upstream = await startUpstream();
  proxy = await startProxy(redis.port);
});

afterEach(async () => {
  upstream.release();
  proxy.delay(0);
  await proxy.mend();
  for (const gateway of running.splice(0)) {
    await until(async () => (await metric(gateway, 'tollgate_ledger_up')) === 1);
    await gateway.stop();
  }
  upstream.clearBooks();
});

afterAll(async () => {
  await proxy.stop();
  await upstream.close();
  await redis.stop();
});

const daily = budget('daily', '25.00');
const books = (): bigint => BigInt(upstream.books().total.nanoUsd);
const standIn = (behaviour: Behaviour): Record<string, string> => ({
  'x-stainless-stand-in': JSON.stringify(behaviour),
});
const streaming = message({ stream: true });

interface Where extends Partial<StartOptions> {
  readonly budget?: CompiledBudget;
  /** Whether the way to Redis is one that can be cut. */
  readonly far?: boolean;
}

async function gatewayWith({ budget: one = daily, far = true, ...options }: Where = {}): Promise<Running> {
  const gateway = await startGateway({
    redisUrl: far ? redis.url.replace(`:${redis.port}`, `:${proxy.port}`) : redis.url,
    handover: handover({ baseURL: upstream.url, budgets: [one] }),
    ...options,
  });
  running.push(gateway);
  return gateway;
}

async function counterOf({ ledger }: Running, one: CompiledBudget) {
  const { now } = await ledger.operator.state();
  return (await ledger.operator.read([budgetFiguresQuery(one, now)]))[0]!.total;
}

/** What is booked and what is presumed once the ledger answers, nothing is in flight and nothing is kept. */
async function booked(gateway: Running, one = daily) {
  let counter = { spentNano: 0n, certainNano: 0n, committedNano: 1n, requests: 0 };
  await until(async () => {
    // First the log: what left it is in the counter that is read afterwards.
    if ((await metric(gateway, 'tollgate_write_ahead_log_calls')) !== 0) return false;
    const read = await counterOf(gateway, one).catch(() => null);
    if (read === null) return false;
    counter = read;
    return counter.committedNano === counter.certainNano;
  });
  return { spent: counter.spentNano, presumed: counter.certainNano - counter.spentNano, requests: counter.requests };
}

async function metric({ url }: Running, name: string): Promise<number> {
  const text = await scrape(url);
  return Number(new RegExp(`^${name}(?:\\{.*\\})? (.*)$`, 'm').exec(text)?.[1] ?? 0);
}

describe('a ledger that is slow or out of reach, under Closed', () => {
  test('by a tenth of a second: calls work, and nothing goes over a cap', async () => {
    const pennies = budget('pennies', '0.02');
    const gateway = await gatewayWith({ budget: pennies });
    proxy.delay(50);
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(gateway.url)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
    const { spent, presumed } = await booked(gateway, pennies);
    expect([spent, presumed]).toEqual([books(), 0n]);
    expect(spent).toBeLessThanOrEqual(pennies.limitNano);
    expect(spent).toBeGreaterThan(pennies.limitNano - 2_000_000n);
  });

  test('for one gateway: its calls wait and are refused, those of others go on, and nothing goes over a cap', async () => {
    const pennies = budget('pennies', '0.02');
    const installation = 'partition';
    const cut = await gatewayWith({ budget: pennies, installation, settings: { waitSeconds: 2 } });
    const other = await gatewayWith({ budget: pennies, installation, far: false });
    const held = [1, 2].map(() => ask(cut.url, { body: streaming, headers: standIn({ holdAfter: 1 }) }));
    await until(() => upstream.books().open === 2);
    proxy.silence('everything');
    const refused = await ask(cut.url);
    expect([refused.status, errorOf(refused).type]).toEqual([503, 'api_error']);
    expect((await ask(cut.url, { method: 'GET', path: '/readyz' })).status).toBe(200);
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(other.url)));
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(10);
    // Its open calls are presumed at their worst by now; what ends meanwhile waits here.
    await until(async () => (await other.ledger.operator.state()).presumedCount === 2, 30_000);
    upstream.release();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
    const waiting = ask(cut.url);
    await sleep(200);
    await proxy.mend();
    // It had asked as an incarnation that was swept meanwhile: it may stand there, and must not stand twice.
    expect((await waiting).status).toBe(503);
    await until(async () => [200, 429].includes((await ask(cut.url)).status), 30_000);
    await until(async () => (await other.ledger.operator.state()).presumedCount === 0, 30_000);
    const { spent, presumed } = await booked(cut, pennies);
    expect([spent, presumed]).toEqual([books(), 0n]);
    expect(spent).toBeLessThanOrEqual(pennies.limitNano);
  });
});

describe('a ledger out of reach, under Open', () => {
  const open = { ledgerLoss: 'Open', waitSeconds: 2 } as const;

  test('admits calls after the waiting time, the next ones at once, and settles them all afterwards', async () => {
    const own = await startRedis();
    const gateway = await gatewayWith({ settings: open, redisUrl: own.url });
    await ask(gateway.url);
    await booked(gateway);
    await own.kill();
    const answer = await ask(gateway.url);
    expect(answer.status).toBe(200);
    expect(answer.headers['x-tollgate-budget-remaining-usd']).toBeUndefined();
    const first = performance.now();
    for (let n = 0; n < 20; n++) expect((await ask(gateway.url)).status).toBe(200);
    // Waiting each for itself they would take forty seconds.
    expect(performance.now() - first).toBeLessThan(20_000);
    const refused = ask(gateway.url, { headers: standIn({ status: 529 }) });
    expect((await refused).status).toBe(529);
    const leaving = new AbortController();
    const left = ask(gateway.url, { headers: standIn({ latencyMs: 300 }), signal: leaving.signal }).catch(() => null);
    await until(() => upstream.books().open === 1);
    leaving.abort();
    await left;
    expect(await metric(gateway, 'tollgate_unchecked_calls_total')).toBe(23);
    await until(async () => (await metric(gateway, 'tollgate_write_ahead_log_calls')) === 23);
    expect((await ask(gateway.url, { method: 'GET', path: '/readyz' })).status).toBe(200);
    const back = await startRedis({ directory: own.directory, port: own.port, password: own.password });
    expect(await booked(gateway)).toEqual({ spent: books(), presumed: 0n, requests: 23 });
    await until(async () => (await ask(gateway.url)).headers['x-tollgate-budget-remaining-usd'] !== undefined);
    const loud = gateway.logs.filter(({ level }) => Number(level) >= 50).map(({ msg }) => msg);
    expect(gateway.logs.filter(({ unchecked }) => unchecked === true).length).toBeGreaterThanOrEqual(23);
    expect([...new Set(loud)]).toEqual([expect.stringContaining('unchecked')]);
    await gateway.stop();
    running.length = 0;
    await back.stop();
  });

  test('reserves afterwards for calls still in flight, until they end', async () => {
    const gateway = await gatewayWith({ settings: open });
    await proxy.cut();
    await sleep(2_500);
    const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
    await until(() => upstream.books().open === 1);
    await proxy.mend();
    await until(async () => {
      const { certainNano } = await counterOf(gateway, daily).catch(() => ({ certainNano: 0n }));
      return certainNano > 1_000_000n;
    });
    upstream.release();
    await held;
    expect(await booked(gateway)).toEqual({ spent: books(), presumed: 0n, requests: 1 });
  });

  test('reserves nothing for calls that cost nothing', async () => {
    const gateway = await gatewayWith({ settings: open });
    await proxy.cut();
    await sleep(2_500);
    const failing = ask(gateway.url, { headers: standIn({ latencyMs: 5_000, status: 529 }) });
    await until(() => upstream.books().open === 1);
    await proxy.mend();
    await until(
      () =>
        counterOf(gateway, daily)
          .then(({ certainNano }) => certainNano > 0n)
          .catch(() => false),
      20_000,
    );
    expect((await failing).status).toBe(529);
    expect(await booked(gateway)).toEqual({ spent: 0n, presumed: 0n, requests: 0 });
  });

  test('that comes back empty admits calls too, and settles them once it is established', async () => {
    const own = await startRedis();
    const gateway = await startGateway({
      redisUrl: own.url,
      handover: handover({ baseURL: upstream.url, budgets: [daily] }),
      settings: open,
    });
    await own.kill();
    const empty = await startRedis({ port: own.port, password: own.password });
    try {
      expect((await ask(gateway.url)).status).toBe(200);
      expect(await metric(gateway, 'tollgate_unchecked_calls_total')).toBe(1);
      await gateway.ledger.operator.establish('first');
      expect(await booked(gateway)).toEqual({ spent: books(), presumed: 0n, requests: 1 });
    } finally {
      await gateway.stop();
      await empty.stop();
    }
  });

  test('settles a call once whose reserve was carried out but never answered', async () => {
    const gateway = await gatewayWith({ settings: open });
    proxy.silence('answers');
    const answers = await Promise.all(Array.from({ length: 5 }, () => ask(gateway.url)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    await proxy.mend();
    expect(await booked(gateway)).toEqual({ spent: books(), presumed: 0n, requests: 5 });
  });

  test('admits no batch', async () => {
    const given = handover({ baseURL: upstream.url, budgets: [daily], rest: { batches: 'Allow' } });
    const gateway = await gatewayWith({ settings: open, handover: given });
    await proxy.cut();
    const body = `{"requests":[{"custom_id":"one","params":${message()}}]}`;
    const answer = await ask(gateway.url, { path: '/v1/messages/batches', body });
    expect([answer.status, errorOf(answer).type]).toEqual([503, 'api_error']);
    expect(await metric(gateway, 'tollgate_unchecked_calls_total')).toBe(0);
  });

  test('does not start without a folder', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-settings-'));
    const [closed, open] = ['Closed', 'Open'].map((ledgerLoss) => {
      const file = join(folder, ledgerLoss);
      writeFileSync(file, `ledgerLoss: ${ledgerLoss}\n`);
      return { REDIS_URL: 'redis://127.0.0.1:6379', POD_NAME: 'gateway-1', TOLLGATE_SETTINGS: file };
    });
    expect(() => readConfig(open!)).toThrow('TOLLGATE_WRITE_AHEAD_LOG_FOLDER is not set: write a folder');
    expect(readConfig({ ...open, TOLLGATE_WRITE_AHEAD_LOG_FOLDER: folder }).writeAheadLogFolder).toBe(folder);
    expect(readConfig(closed!).writeAheadLogFolder).toBeUndefined();
  });

  test('admits no call that cannot be written to the disk', async () => {
    const folder = join(mkdtempSync(join(tmpdir(), 'tollgate-write-ahead-log-')), 'file');
    const gateway = await gatewayWith({ settings: open, folder });
    writeFileSync(folder, '');
    await proxy.cut();
    await sleep(2_500);
    expect((await ask(gateway.url)).status).toBe(503);
    expect(upstream.books().total.requests).toBe(0);
  });
});

describe('the write-ahead log', () => {
  const folderOf = (): string => join(mkdtempSync(join(tmpdir(), 'tollgate-write-ahead-log-')), 'pod');
  const reservation = (id: string): Reservation => ({
    id,
    workspace: 'payments/checkout',
    version: 1,
    worstNano: nano(12_345_678_901_234_567n),
    gapNano: nano(0n),
    from: 0,
    until: 1,
    checks: [],
  });
  const settlement = (id: string) => ({
    id,
    costNano: nano(1n),
    presumedNano: nano(0n),
    record: { id, cost_nano: '1' },
  });

  test('hands the next process the calls that are left, with what is known of them; a torn line was never confirmed', async () => {
    const folder = folderOf();
    const first = await WriteAheadLog.open(folder, 'first');
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => first.admit(reservation(id))));
    await first.end('b', settlement('b'));
    await first.end('c', null);
    await first.end('d', settlement('d'));
    first.forget('d');
    const path = join(folder, 'first.jsonl');
    await until(() => readFileSync(path, 'utf8').includes('dropped":"d'));
    writeFileSync(path, `${readFileSync(path, 'utf8')}\n{"reservation":{"id":"torn"`);
    const second = await WriteAheadLog.open(folder, 'second');
    expect(second.left).toEqual([
      { reservation: reservation('a'), settlement: null },
      { reservation: reservation('b'), settlement: settlement('b') },
    ]);
    expect(second.unsettledCount).toBe(2);
    second.forget('a');
    expect((await WriteAheadLog.open(folder, 'third')).left).toHaveLength(2);
    second.forget('b');
    await first.close();
    await until(() => readdirSync(folder).length === 0);
  });

  test('hands the next process no call that was settled, whether before or after it was written', async () => {
    const folder = folderOf();
    const first = await WriteAheadLog.open(folder, 'first');
    const keeping = first.keep(reservation('late'), settlement('late'));
    first.forget('late');
    await keeping;
    await first.admit(reservation('long'));
    await first.keep(reservation('short'), settlement('short'));
    first.forget('short');
    await until(async () => (await WriteAheadLog.open(folder, 'next')).left.length === 1);
    const { left } = await WriteAheadLog.open(folder, 'next');
    expect(left).toEqual([{ reservation: reservation('long'), settlement: null }]);
    await first.close();
  });

  test('is readable by its owner only, empty once all is settled, and gone once its process leaves', async () => {
    const folder = folderOf();
    const log = await WriteAheadLog.open(folder, 'one');
    await log.admit(reservation('a'));
    const path = join(folder, 'one.jsonl');
    expect([statSync(path).mode & 0o777, statSync(folder).mode & 0o777]).toEqual([0o600, 0o700]);
    log.forget('a');
    await until(() => statSync(path).size === 0);
    await log.admit(reservation('b'));
    expect((await WriteAheadLog.open(folder, 'next')).left).toHaveLength(1);
    log.forget('b');
    await log.close();
    expect(readdirSync(folder)).toEqual([]);
  });
});
