import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { listen } from '../../../gateway/http/server.ts';
import { scrape } from '../../../hack/run/scrape.ts';
import { LedgerUnreachable } from '../../../ledger/ledger.ts';
import type { OpenBatch } from '../../../ledger/message-batches.ts';
import type { RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { UsageLog } from '../../../log/usage-log.ts';
import type { BatchSettler } from '../../../operator/batches/batch-settler.ts';
import { Rebuild } from '../../../operator/ledger/rebuild.ts';
import { nano } from '../../../policy/core/money.ts';
import { decodeBatchMeta, encodeBatchMeta } from '../../../policy/cost/batch-meta.ts';
import { OWNER } from '../../support/owner.ts';
import { startProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { BATCHES_PATH, batchGateways, item, poller, PRICE_BOOK, recordsOf, sdk } from './batch-fixture.ts';
import { counterOf, useGateways } from './fixture.ts';
import { ask, AT_ONCE, errorOf, type Running } from './harness.ts';
import { budget, handover, resolved } from './policies.ts';

const env = useGateways();
const { books, running } = env;
const bodyFolder = mkdtempSync(join(tmpdir(), 'tollgate-bodies-'));
const gateway = batchGateways(env, bodyFolder);
const daily = budget('daily', '25.00');

describe('memory', () => {
  const long = (count: number, length: number): string =>
    JSON.stringify({
      requests: Array.from({ length: count }, (_, i) =>
        item(`r-${i}`, {}, { messages: [{ role: 'user', content: 'x'.repeat(length) }] }),
      ),
    });

  test.each([
    // Beyond the bound by more than the 64 KB that may arrive with the request's end: only what has not ended counts so.
    ['a request that has not ended', long(1, 300_000)],
    ['many requests', long(400, 1)],
  ])('%s counts as memory for bodies, until the call ends', async (_, body) => {
    const here = await gateway({}, { bodyMemoryBytes: 180_000 });
    const answer = await ask(here.url, { path: BATCHES_PATH, body });
    expect([answer.status, errorOf(answer).type]).toEqual([503, 'api_error']);
    expect(errorOf(answer).message).toContain('TOLLGATE_BODY_MEMORY');
    // The memory is free once the answer is out, which the caller may see a moment earlier.
    await until(async () => (await ask(here.url, { path: BATCHES_PATH, body: long(5, 100) })).status === 200);
    await until(async () => {
      const text = await scrape(here.url);
      return text.includes('tollgate_body_memory_bytes 0\n');
    });
  });

  test('a caller that is not known opens no file', async () => {
    const here = await gateway({}, { bodyFolder: join(bodyFolder, 'missing') });
    const body = long(1, 1);
    const unknown = await ask(here.url, { path: BATCHES_PATH, body, headers: { 'x-api-key': 'sk-tollgate-other' } });
    const known = await ask(here.url, { path: BATCHES_PATH, body });
    expect([unknown.status, known.status]).toEqual([401, 503]);
  });
});

describe('failures', () => {
  test('an error of the upstream’s is passed on and costs nothing', async () => {
    env.upstream.behave({ status: 529 });
    const here = await gateway();
    const answer = await ask(here.url, { path: BATCHES_PATH, body: JSON.stringify({ requests: [item('a')] }) });
    expect([answer.status, errorOf(answer).type]).toEqual([529, 'overloaded_error']);
    await until(async () => (await counterOf(here)).committedNano === 0n);
    expect(here.logs.at(-1)).toMatchObject({ ending: 'ErrorStatus', status: 529, cost_usd: 0 });
  });

  test('a connection that breaks after all was sent leaves the worst case presumed', async () => {
    env.upstream.behave({ breakAt: 'Head' });
    const here = await gateway();
    const answer = await ask(here.url, { path: BATCHES_PATH, body: JSON.stringify({ requests: [item('a')] }) });
    expect([answer.status, answer.headers['x-should-retry']]).toEqual([502, 'false']);
    await until(async () => (await counterOf(here)).certainNano > 0n);
    const counter = await counterOf(here);
    expect(counter.committedNano).toBe(counter.certainNano);
    expect(counter.certainNano).toBeGreaterThanOrEqual(books());
  });

  test('a batch whose upstream answers while the ledger is out of reach is opened there afterwards', async () => {
    const way = await startProxy(env.redis.port);
    env.upstream.behave({ batchMs: null, latencyMs: 500 });
    const here = await gateway({}, { redisUrl: env.redis.url.replace(/\d+$/, String(way.port)) });
    const asked = sdk(here).messages.batches.create({ requests: [item('a')] });
    await until(async () => (await counterOf(here)).committedNano > 0n);
    await way.cut();
    const { id } = await asked;
    await expect(here.ledger.operator.openBatches()).rejects.toBeInstanceOf(LedgerUnreachable);
    await way.mend();
    await until(() =>
      here.ledger.operator
        .openBatches()
        .then(([one]) => one?.batch === id)
        .catch(() => false),
    );
    env.upstream.release();
    expect(await poller(here).look()).toEqual([]);
    expect(await counterOf(here)).toMatchObject({ spentNano: books(), committedNano: books(), requests: 1 });
    await running.pop()?.stop();
    await way.stop();
  });

  test('a caller that leaves while it sends leaves no file and no reservation', async () => {
    const here = await gateway();
    const { port } = new URL(here.url);
    const leaving = request({ port, path: BATCHES_PATH, method: 'POST', headers: { 'x-api-key': 'sk-tollgate-api' } });
    leaving.on('error', () => undefined);
    leaving.write(`{"requests":[${JSON.stringify(item('a'))},`);
    // What is on disk has no name there, so nothing of it can stay.
    await until(() => here.assembly.gateway.server.listening);
    expect(readdirSync(bodyFolder)).toEqual([]);
    leaving.destroy();
    await here.assembly.gateway.drain(AT_ONCE);
    expect((await counterOf(here)).committedNano).toBe(0n);
  });

  test('the bodies of all batches share a quota of disk, which is given back', async () => {
    const here = await gateway({}, { bodyFileBytes: 5_000 });
    const body = JSON.stringify({ requests: [item('a', {}, { system: 'x'.repeat(6_000) })] });
    const refused = await ask(here.url, { path: BATCHES_PATH, body });
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect(errorOf(refused).message).toContain('TOLLGATE_BATCH_STORAGE');
    for (const id of ['b', 'c']) {
      const served = await ask(here.url, {
        path: BATCHES_PATH,
        body: JSON.stringify({ requests: [item(id, {}, { system: 'x'.repeat(3_000) })] }),
      });
      expect(served.status).toBe(200);
    }
  });

  test('a policy that changed while the batch was sent decides about it', async () => {
    const here = await gateway();
    await here.ledger.operator.raiseFences(new Map([['payments/checkout', 2]]));
    const asked = ask(here.url, { path: BATCHES_PATH, body: JSON.stringify({ requests: [item('a'), item('b')] }) });
    const rest = { batches: 'Allow' as const, guards: { maxRequestNano: nano(1n) } };
    await until(async () => (await here.ledger.operator.fences()).get('payments/checkout') === 2);
    here.policy.enforce([resolved(handover({ baseURL: env.upstream.url, budgets: [daily], version: 2, rest }))]);
    const answer = await asked;
    expect([answer.status, errorOf(answer).type]).toEqual([402, 'billing_error']);
    expect(errorOf(answer).message).toContain('requests[0]: This call may cost up to');
  });

  test('results that break off are settled as far as they came, and the rest later, each line once', async () => {
    const here = await gateway();
    const requests = Array.from({ length: 1_000 }, (_, index) =>
      item(`r-${index}`, { usage: { output_tokens: index % 90 } }),
    );
    const { id } = await sdk(here).messages.batches.create({ requests });
    env.upstream.behave({ breakAt: 'Middle' });
    const operator = poller(here);
    expect(await operator.look()).toHaveLength(1);
    const half = await counterOf(here);
    expect(half.requests).toBeGreaterThan(0);
    expect(half.requests).toBeLessThan(1_000);
    expect(half.committedNano).toBeGreaterThan(books());
    env.upstream.behave({});
    // A second operator that still thinks that it leads looks at the same time.
    const other = poller(here);
    await Promise.all([operator, other].map((one) => one.look()));
    await operator.look();
    await other.look();
    expect(new Set([...operator.settled, ...other.settled])).toEqual(new Set([id]));
    expect(await counterOf(here)).toMatchObject({ spentNano: books(), committedNano: books(), requests: 1_000 });
    const ids = (await recordsOf(here)).filter(({ state }) => state === 'final').map(({ id }) => id);
    expect(new Set(ids).size).toBe(1_000);
    expect(ids).toHaveLength(1_000);
  });

  test('a line that cannot be read costs as much as the most expensive request could', async () => {
    const here = await gateway();
    const requests = [item('a', { usage: { input_tokens: -1 } }), item('b', { usage: null })];
    await sdk(here).messages.batches.create({ requests });
    const worst = (await counterOf(here)).committedNano;
    await poller(here).look();
    const counter = await counterOf(here);
    expect(counter.spentNano).toBeGreaterThanOrEqual(worst);
    expect(counter.committedNano).toBe(counter.spentNano);
  });

  /** A batch of two requests whose upstream says that it has ended, and sends this as its results. */
  async function endedWith(results: () => string) {
    const here = await gateway();
    const { id } = await sdk(here).messages.batches.create({ requests: [item('a'), item('b')] });
    const held = (await counterOf(here)).committedNano;
    const liar = createServer((req, res) => {
      res.end(req.url!.endsWith('results') ? results() : JSON.stringify({ id, processing_status: 'ended' }));
    });
    const baseURL = `http://127.0.0.1:${await listen(liar, 0)}`;
    const { operator } = here.ledger;
    const there = async (): Promise<OpenBatch[]> =>
      (await operator.openBatches()).map((open) => ({
        ...open,
        meta: encodeBatchMeta({ ...decodeBatchMeta(open.meta), baseURL }),
      }));
    const looking = poller(here, {
      credentials: () => ({ baseURL, apiKey: 'sk-ant-upstream', headers: {}, prices: PRICE_BOOK }),
      ledger: {
        openBatches: there,
        settleBatchLines: (settled) => operator.settleBatchLines(settled),
        closeBatch: (batch) => operator.closeBatch(batch),
      },
    });
    return { here, id, held, looking, close: () => liar.close() };
  }
  const errored = (id: string): string => `{"custom_id":"${id}","result":{"type":"errored"}}`;
  const DAY_MS = 86_400_000;

  test.each<[string, string]>([
    ['none', ''],
    ['one', errored('a')],
  ])(
    'an upstream that has ended and sends %s of two results, and no count of them, has not said all',
    async (_, lines) => {
      const { here, held, looking, close } = await endedWith(() => lines);
      expect(await looking.look()).toMatchObject([{ message: expect.stringContaining('of 2 results') }]);
      expect(await counterOf(here)).toMatchObject({ spentNano: 0n, committedNano: held });
      close();
    },
  );

  test.each<[string, string]>([
    ['a page', '<!doctype html>\n<title>Sign in</title>\n<p>Sign in to use this network.</p>'],
    ['an error of the API', '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'],
    ['a line that is cut', `${errored('a')}\n{"custom_id":"b","resu`],
    ['JSON that is no object', '7\nnull'],
  ])('nothing is spent on %s instead of the results: they are fetched again', async (_, sent) => {
    let results = sent;
    const { here, id, held, looking, close } = await endedWith(() => results);
    expect(await looking.look()).toMatchObject([{ message: expect.stringContaining('is no result') }]);
    expect(await counterOf(here)).toMatchObject({ spentNano: 0n, committedNano: held });
    results = [errored('a'), errored('b')].join('\n');
    expect(await looking.look()).toEqual([]);
    expect(looking.settled).toEqual([id]);
    expect(await counterOf(here)).toMatchObject({ spentNano: 0n, committedNano: 0n });
    close();
  });

  test('a line that stays unreadable for a day costs as much as the most expensive request could', async () => {
    const { here, id, held, looking, close } = await endedWith(() => `${errored('a')}\n?`);
    expect(await looking.look()).toHaveLength(1);
    looking.at += 2 * DAY_MS;
    expect(await looking.look()).toEqual([]);
    expect(looking.settled).toEqual([id]);
    expect(await counterOf(here)).toMatchObject({ spentNano: held / 2n, committedNano: held / 2n });
    close();
  });

  test('a batch whose results never come is given up once no upstream keeps them', async () => {
    const { here, id, held, looking, close } = await endedWith(() => '<html>');
    looking.at += 28 * DAY_MS;
    expect(await looking.look()).toHaveLength(1);
    looking.at += 2 * DAY_MS;
    expect(await looking.look()).toEqual([]);
    expect(looking.lost).toEqual([id]);
    expect(await counterOf(here)).toMatchObject({ spentNano: held, committedNano: held });
    close();
  });

  test.each<[string, number, (id: string) => Promise<unknown>, Partial<ConstructorParameters<typeof BatchSettler>[0]>]>(
    [
      [
        'deleted behind our back',
        25,
        (id) =>
          fetch(`${env.upstream.url}${BATCHES_PATH}/${id}`, {
            method: 'DELETE',
            headers: { 'x-api-key': 'sk-ant-upstream' },
          }),
        {},
      ],
      ['of a workspace that is gone', 29 * 24, async () => undefined, { credentials: () => undefined }],
      [
        'whose upstream key is refused for good',
        29 * 24,
        async () => undefined,
        { credentials: () => ({ baseURL: env.upstream.url, apiKey: 'sk-none', headers: {}, prices: PRICE_BOOK }) },
      ],
      ['of an upstream that is no longer allowed', 29 * 24, async () => undefined, { isAllowed: () => false }],
    ],
  )('a batch %s is booked at its worst when it cannot be known any more', async (_, hours, spoil, changes) => {
    const here = await gateway();
    const { id } = await sdk(here).messages.batches.create({ requests: [item('a')] });
    const worst = (await counterOf(here)).committedNano;
    await spoil(id);
    const operator = poller(here, changes);
    await operator.look();
    expect(await counterOf(here)).toMatchObject({ spentNano: 0n, committedNano: worst });
    operator.at += hours * 3_600_000;
    expect(await operator.look()).toEqual([]);
    expect(operator.lost).toEqual([id]);
    expect(await counterOf(here)).toMatchObject({ spentNano: worst, committedNano: worst });
    const [owner] = await here.ledger.gateway.batchOwners([id]);
    expect(owner?.settled).toBe(true);
    const open: readonly OpenBatch[] = await here.ledger.operator.openBatches();
    expect(open).toEqual([]);
  });
});

describe('Redis comes back empty', () => {
  const restored = { requests: 600, billing: 'sk-tollgate-billing' };

  async function wipe(): Promise<void> {
    const client = new Client(env.redis.url);
    await client.flushall();
    client.disconnect();
  }

  /** Two operators rebuild at once, after one that died when it had put the batches back. */
  async function rebuild(ledger: RedisLedger, log: UsageLog): Promise<void> {
    const policy = { reconcile: async () => undefined };
    const rest = { log, statusMinimums: () => [], incarnations: () => [], policy };
    const died = () => Promise.reject(new Error('the leader died'));
    const first = new Rebuild({ ...rest, ledger: { ...bound(ledger), resume: died } });
    await until(async () => {
      await ledger.operator.beginRebuild('first');
      return first.advance(await ledger.operator.state()).catch(() => true);
    });
    const state = await ledger.operator.state();
    await Promise.all([0, 1].map(() => new Rebuild({ ...rest, ledger: bound(ledger) }).advance(state)));
    expect((await ledger.operator.state()).recovering).toBeNull();
  }

  function bound(ledger: RedisLedger): ConstructorParameters<typeof Rebuild>[0]['ledger'] {
    return {
      raiseCounters: (floors) => ledger.operator.raiseCounters(floors),
      restoreBatches: (batches) => ledger.operator.restoreBatches(batches),
      resume: (since) => ledger.operator.resume(since),
    };
  }

  test('with gateways that remember a batch, and with new ones: it is settled once and belongs to its workspace alone', async () => {
    const installation = `t-${randomUUID()}`;
    let here = await gateway({}, { installation });
    const database = await openDatabase({ folder: mkdtempSync(join(tmpdir(), 'tollgate-log-')) });
    const logOf = ({ ledger }: Running) =>
      new UsageLog({ open: async () => ({ ...database, close: async () => {} }), ledger: ledger.operator });
    const requests = Array.from({ length: restored.requests }, (_, index) =>
      item(`r-${index}`, { usage: { output_tokens: index % 90 } }),
    );
    const { id } = await sdk(here).messages.batches.create({ requests });
    env.upstream.behave({ breakAt: 'Middle' });
    expect(await poller(here).look()).toHaveLength(1);
    await logOf(here).drain();
    const [open] = await here.ledger.operator.openBatches();
    const { spentNano, certainNano, committedNano, requests: booked } = await counterOf(here);
    expect(booked).toBe(open!.settledLines);
    expect(booked).toBeGreaterThan(0);
    expect(committedNano).toBe(spentNano + open!.reservedNano);

    for (const isKnown of [true, false]) {
      if (!isKnown) await running.pop()!.stop();
      await wipe();
      if (!isKnown) here = await gateway({}, { installation });
      await rebuild(here.ledger, logOf(here));
      expect(await here.ledger.operator.openBatches()).toEqual([open]);
      expect(await counterOf(here)).toMatchObject({ spentNano, certainNano, committedNano, requests: booked });
    }

    const other = await gateway(
      { rest: { batches: 'Allow', name: 'billing' }, keys: { api: restored.billing } },
      { installation },
    );
    expect((await sdk(here).messages.batches.retrieve(id)).id).toBe(id);
    await expect(sdk(other, restored.billing).messages.batches.retrieve(id)).rejects.toMatchObject({ status: 404 });
    const log = logOf(here);
    const late = await log.batches(Date.now());
    env.upstream.behave({});
    const operator = poller(here);
    expect(await operator.look()).toEqual([]);
    expect(operator.settled).toEqual([id]);
    // An operator that read the log before changes nothing any more.
    await here.ledger.operator.restoreBatches(late);
    const settled = { spentNano: books(), certainNano: books(), committedNano: books(), requests: restored.requests };
    expect(await counterOf(here)).toMatchObject(settled);

    await log.drain();
    await wipe();
    await rebuild(here.ledger, log);
    expect(await counterOf(here)).toMatchObject(settled);
    expect(await here.ledger.gateway.batchOwners([id])).toEqual([{ ...OWNER, settled: true }]);
    const [sum] = await database.query(
      'select count(*)::int as lines, sum(cost_nano)::text as nano from calls where batch = $1 and state = $2',
      [id, 'final'],
    );
    expect(sum).toEqual({ lines: restored.requests, nano: String(books()) });
    await database.close();
  });
});
