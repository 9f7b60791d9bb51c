import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, mkdtempSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Anthropic, { type APIError } from '@anthropic-ai/sdk';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import { BatchListing } from '../../../gateway/batches/batch-listing.ts';
import { LedgerUnreachable } from '../../../ledger/ledger-unreachable.ts';
import type { OpenBatch } from '../../../ledger/message-batches.ts';
import type { RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { UsageLog } from '../../../log/usage-log.ts';
import { BatchSettler } from '../../../operator/batches/batch-settler.ts';
import { Rebuild } from '../../../operator/ledger/rebuild.ts';
import type { CompiledBudget } from '../../../policy/core/compiled-policy.ts';
import type { Counter } from '../../../policy/core/counter-reading.ts';
import { parsePriceBook } from '../../../policy/prices/price-book-file.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { startProxy } from '../../support/proxy.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { ask, AT_ONCE, errorOf, type Running, startGateway, type StartOptions } from './harness.ts';
import { budget, handover, PRICES, resolved, type WorkspaceOptions } from './policies.ts';

let redis: Awaited<ReturnType<typeof startRedis>>;
let upstream: Upstream;
const running: Running[] = [];
const bodyFolder = mkdtempSync(join(tmpdir(), 'tollgate-batches-'));
const PATH = '/v1/messages/batches';
const BOOK = parsePriceBook(JSON.parse(PRICES.text));

beforeAll(async () => {
  redis = await startRedis();
  upstream = await startUpstream();
});

afterEach(async () => {
  upstream.release();
  for (const one of running.splice(0)) await one.stop();
  upstream.clearBooks();
  upstream.behave({});
});

afterAll(async () => {
  await upstream.close();
  await redis.stop();
});

const daily = budget('daily', '25.00');

async function gateway(workspace: Partial<WorkspaceOptions> = {}, options: Partial<StartOptions> = {}) {
  const rest = { batches: 'Allow' as const, ...workspace.rest };
  const given = handover({ baseURL: upstream.url, budgets: [daily], ...workspace, rest });
  const started = await startGateway({ redisUrl: redis.url, handover: given, bodyFolder, ...options });
  running.push(started);
  return started;
}

function sdk({ url }: Running, apiKey = 'sk-tollgate-api'): Anthropic {
  return new Anthropic({ baseURL: `${url}/some/prefix`, apiKey, maxRetries: 0 });
}

/** A request of a batch that behaves so upstream. */
function item(id: string, behaviour: Behaviour = {}, rest: Partial<Anthropic.MessageCreateParamsNonStreaming> = {}) {
  return {
    custom_id: id,
    params: {
      model: 'claude-sonnet-5-5',
      max_tokens: 100,
      messages: [{ role: 'user' as const, content: 'Hello' }],
      metadata: { user_id: `stand-in:${JSON.stringify(behaviour)}` },
      ...rest,
    },
  };
}

async function counterOf({ ledger }: Running, one: CompiledBudget = daily): Promise<Counter> {
  const { now } = await ledger.operator.state();
  const [reading] = await ledger.operator.read([budgetFiguresQuery(one, now)]);
  return reading!.total;
}

interface Poller {
  readonly batches: BatchSettler;
  /** Looks at every open batch once; what was thrown. */
  readonly look: () => Promise<unknown[]>;
  readonly settled: string[];
  readonly lost: string[];
  bookedNano: bigint;
  at: number;
}

/** The operator's part, with the ledger of a gateway. */
function poller({ ledger }: Running, changes: Partial<ConstructorParameters<typeof BatchSettler>[0]> = {}): Poller {
  const due: string[] = [];
  const self: Poller = {
    at: Date.now(),
    bookedNano: 0n,
    settled: [],
    lost: [],
    batches: new BatchSettler({
      ledger: ledger.operator,
      credentials: () => ({ apiKey: 'sk-ant-upstream', prices: BOOK }),
      prices: () => BOOK,
      isAllowed: () => true,
      clock: () => self.at,
      elapsed: () => self.at,
      intervalMs: 1000,
      queues: { addBatch: (batch) => due.push(batch) },
      metrics: {
        countBatchLines: (lines) => (self.bookedNano += lines.reduce((sum, { costNano }) => sum + costNano, 0n)),
      },
      events: {
        batchSettled: ({ batch }) => self.settled.push(batch),
        batchLost: ({ batch }) => self.lost.push(batch),
      },
      ...changes,
    }),
    look: async () => {
      self.at += 10_000;
      expect(await self.batches.poll()).toBe(1000);
      const outcomes = await Promise.allSettled(due.splice(0).map((batch) => self.batches.settle(batch)));
      return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    },
  };
  return self;
}

const books = (): bigint => BigInt(upstream.books().total.nanoUsd);

async function recordsOf({ ledger }: Running): Promise<Record<string, unknown>[]> {
  return (await ledger.operator.readUsage(5_000)).map(({ record }) => record);
}

describe('a batch', () => {
  test('is held at half of its worst case, settled from its results at half price, and read as if there were no gateway', async () => {
    upstream.behave({ batchMs: null });
    const here = await gateway();
    const client = sdk(here);
    const usage = { input_tokens: 11, output_tokens: 3 };
    const requests = [
      item('one', { usage }),
      item('two', { outcome: 'errored' }),
      item('three', { usage: { ...usage, cache_read_input_tokens: 5 } }, { model: 'claude-haiku-5-5' }),
      item('four', { outcome: 'expired' }),
    ];
    const batch = await client.messages.batches.create({ requests });
    expect(batch).toMatchObject({ processing_status: 'in_progress', results_url: null });
    const held = await counterOf(here);
    const bytes = requests.map((one) => BigInt(Buffer.byteLength(JSON.stringify(one))));
    const worst = [bytes[0]! * 2000n + 1_000_000n, bytes[1]! * 2000n + 1_000_000n, bytes[2]! * 100n + 50_000n];
    worst.push(bytes[3]! * 2000n + 1_000_000n);
    const half = worst.reduce((sum, one) => sum + (one + 1n) / 2n, 0n);
    expect(held).toMatchObject({ spentNano: 0n, certainNano: 0n, committedNano: half, requests: 0 });
    expect(await client.messages.batches.retrieve(batch.id)).toEqual(batch);
    await expect(client.messages.batches.delete(batch.id)).rejects.toMatchObject({ status: 409 });
    const operator = poller(here);
    expect(await operator.look()).toEqual([]);
    expect(operator.batches.backlog.open).toBe(1);
    expect(operator.batches.backlog.oldestSeconds).toBeGreaterThan(0);
    upstream.release();
    expect((await client.messages.batches.retrieve(batch.id)).results_url).toBe(`${PATH}/${batch.id}/results`);
    expect(await operator.look()).toEqual([]);
    expect([operator.settled, operator.bookedNano]).toEqual([[batch.id], books()]);
    expect(await counterOf(here)).toMatchObject({
      spentNano: books(),
      certainNano: books(),
      committedNano: books(),
      requests: 4,
    });
    // (11 × 2,000 + 3 × 10,000) / 2 and (11 × 100 + 5 × 10 + 3 × 500) / 2.
    expect(books()).toBe(26_000n + 1_325n);
    const lines = [];
    for await (const line of await client.messages.batches.results(batch.id)) lines.push(line);
    expect(lines.map(({ custom_id: id, result }) => `${id} ${result.type}`)).toEqual([
      'one succeeded',
      'two errored',
      'three succeeded',
      'four expired',
    ]);
    expect(await client.messages.batches.delete(batch.id)).toEqual({ id: batch.id, type: 'message_batch_deleted' });
    await expect(client.messages.batches.retrieve(batch.id)).rejects.toMatchObject({ status: 404 });
    expect((await operator.look()).concat(operator.batches.backlog.open)).toEqual([0]);
  });

  test('leaves a record for each request', async () => {
    const here = await gateway();
    const requests = [item('a', { usage: { input_tokens: 8, output_tokens: 2 } }), item('b', { outcome: 'canceled' })];
    const { id } = await sdk(here).messages.batches.create(
      { requests },
      { headers: { 'x-tollgate-customer': 'acme' } },
    );
    await poller(here).look();
    const records = (await recordsOf(here)).filter((record) => record['state'] === 'final');
    const call = here.logs.find(({ ending }) => ending === 'Batch')!['id'] as string;
    const common = { workspace: 'payments/checkout', key: 'api', feature: 'checkout', customer: 'acme', stream: false };
    expect(records).toMatchObject([
      {
        ...common,
        id: `${call}/batch/a`,
        model: 'claude-sonnet-5-5',
        asked_model: 'claude-sonnet-5-5',
        input_tokens: 8,
        output_tokens: 2,
        cost_nano: '18000',
        estimated: false,
        ending: 'Answered',
      },
      { ...common, id: `${call}/batch/b`, input_tokens: null, cost_nano: '0', estimated: false, ending: 'Canceled' },
    ]);
    expect(id).toMatch(/^msgbatch_/);
  });

  test('that is canceled gives back what was not begun', async () => {
    upstream.behave({ batchMs: null });
    const here = await gateway();
    const client = sdk(here);
    const { id } = await client.messages.batches.create({ requests: [item('a'), item('b'), item('c'), item('d')] });
    expect((await client.messages.batches.cancel(id)).processing_status).toBe('canceling');
    upstream.release();
    expect(await poller(here).look()).toEqual([]);
    expect(upstream.books().total.calls).toBe(2);
    expect(await counterOf(here)).toMatchObject({ spentNano: books(), committedNano: books(), requests: 4 });
  });

  test('is its workspace’s alone, though all share an upstream key', async () => {
    const installation = `t-${randomUUID()}`;
    const here = await gateway({}, { installation });
    const other = await gateway(
      { rest: { batches: 'Allow', name: 'billing' }, keys: { api: 'sk-tollgate-billing' } },
      { installation },
    );
    const [mine, theirs] = [sdk(here), sdk(other, 'sk-tollgate-billing')];
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift((await mine.messages.batches.create({ requests: [item('a')] })).id);
      await theirs.messages.batches.create({ requests: [item('a')] });
    }
    const found = [];
    for await (const { id, results_url: url } of mine.messages.batches.list({ limit: 2 })) {
      found.push(id);
      expect(url).toBe(`${PATH}/${id}/results`);
    }
    expect(found).toEqual(ids);
    const page = await mine.messages.batches.list({ limit: 2, before_id: ids[3]! });
    expect([page.data.map(({ id }) => id), page.has_more, page.first_id]).toEqual([ids.slice(1, 3), true, ids[1]]);
    const calls: (() => Promise<unknown>)[] = [
      () => theirs.messages.batches.retrieve(ids[0]!),
      () => theirs.messages.batches.cancel(ids[0]!),
      () => theirs.messages.batches.delete(ids[0]!),
      () => theirs.messages.batches.results(ids[0]!),
      () => theirs.messages.batches.retrieve('msgbatch_none'),
      async () => theirs.messages.batches.list({ after_id: ids[0]! }),
    ];
    for (const call of calls) {
      const error = await call().catch((thrown: unknown) => thrown as APIError);
      expect(error).toMatchObject({ status: 404, error: { error: { type: 'not_found_error' } } });
    }
    const results = await ask(other.url, {
      method: 'GET',
      path: `${PATH}/${ids[0]}/results`,
      headers: { 'x-api-key': 'sk-tollgate-billing' },
    });
    expect([results.status, errorOf(results).message]).toEqual([
      404,
      `The workspace payments/billing has no batch "${ids[0]}".`,
    ]);
  });
});

describe('a batch that is refused is never sent, and holds nothing', () => {
  const opus = { model: 'claude-opus-5-5' };
  const opusOnly = budget('opus', '25.00', { scope: { models: ['claude-opus-*'] } });

  test.each<[string, number, Partial<WorkspaceOptions>, unknown]>([
    ['does not allow Message Batches', 400, { rest: { batches: 'Refuse' } }, { requests: [item('a')] }],
    ['requests[1]: Model "gpt" is not allowed', 400, {}, { requests: [item('a'), item('b', {}, { model: 'gpt' })] }],
    ['requests[1]: custom_id a is there twice', 400, {}, { requests: [item('a'), item('a')] }],
    ['requests[1]: messages must be a list', 400, {}, { requests: [item('a'), { custom_id: 'b', params: opus }] }],
    ['must be JSON of the form', 400, {}, '{"requests":['],
    ['may have the field requests only, not model', 400, {}, opus],
    [
      'requests[1]: Other budgets apply to model "claude-opus-5-5"',
      400,
      { budgets: [daily, opusOnly] },
      { requests: [item('a'), item('b', {}, opus)] },
    ],
    [
      'requests[0]: It asks for more than',
      400,
      { rest: { batches: 'Allow', guards: { maxOutputTokens: 99 } } },
      { requests: [item('a')] },
    ],
    [
      'Yearly budget of $0.001000 cannot hold this call',
      429,
      { budgets: [budget('daily', '0.001')] },
      { requests: [item('a'), item('b')] },
    ],
  ])('%s', async (sentence, status, workspace, body) => {
    const here = await gateway(workspace);
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await ask(here.url, { path: PATH, body: text });
    expect([answer.status, answer.headers['x-should-retry']]).toEqual([status, 'false']);
    expect(errorOf(answer).message).toContain(sentence);
    expect((await counterOf(here)).committedNano).toBe(0n);
    expect((await poller(here).look()).length + upstream.books().total.calls).toBe(0);
  });

  test('by its headers before it is read', async () => {
    const here = await gateway();
    const zipped = await ask(here.url, { path: PATH, headers: { 'content-encoding': 'gzip' }, body: 'x' });
    expect(zipped.status).toBe(415);
    const { port } = new URL(here.url);
    const long = request({ port, path: PATH, method: 'POST', headers: { 'x-api-key': 'sk-tollgate-api' } });
    long.setHeader('content-length', 256 * 1024 * 1024 + 1);
    long.flushHeaders();
    const [answer] = (await once(long, 'response')) as [{ statusCode: number }];
    expect(answer.statusCode).toBe(413);
    long.on('error', () => undefined).destroy();
  });
});

describe('what goes wrong', () => {
  test('an error of the upstream’s is passed on and costs nothing', async () => {
    upstream.behave({ status: 529 });
    const here = await gateway();
    const answer = await ask(here.url, { path: PATH, body: JSON.stringify({ requests: [item('a')] }) });
    expect([answer.status, errorOf(answer).type]).toEqual([529, 'overloaded_error']);
    await until(async () => (await counterOf(here)).committedNano === 0n);
    expect(here.logs.at(-1)).toMatchObject({ ending: 'ErrorStatus', status: 529, cost_usd: 0 });
  });

  test('a connection that breaks once all was sent leaves the worst case presumed', async () => {
    upstream.behave({ breakAt: 'Head' });
    const here = await gateway();
    const answer = await ask(here.url, { path: PATH, body: JSON.stringify({ requests: [item('a')] }) });
    expect([answer.status, answer.headers['x-should-retry']]).toEqual([502, 'false']);
    await until(async () => (await counterOf(here)).certainNano > 0n);
    const counter = await counterOf(here);
    expect(counter.committedNano).toBe(counter.certainNano);
    expect(counter.certainNano).toBeGreaterThanOrEqual(books());
  });

  test('a ledger that is away when the upstream answers is told of the batch once it is back', async () => {
    const way = await startProxy(redis.port);
    upstream.behave({ batchMs: null, latencyMs: 500 });
    const here = await gateway({}, { redisUrl: redis.url.replace(/\d+$/, String(way.port)) });
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
    upstream.release();
    expect(await poller(here).look()).toEqual([]);
    expect(await counterOf(here)).toMatchObject({ spentNano: books(), committedNano: books(), requests: 1 });
    await running.pop()?.stop();
    await way.stop();
  });

  test('a caller that leaves while it sends leaves nothing behind', async () => {
    const here = await gateway();
    const { port } = new URL(here.url);
    const leaving = request({ port, path: PATH, method: 'POST', headers: { 'x-api-key': 'sk-tollgate-api' } });
    leaving.on('error', () => undefined);
    leaving.write(`{"requests":[${JSON.stringify(item('a'))},`);
    // What is on disk has no name there, so nothing of it can stay.
    await until(() => here.assembly.gateway.server.listening);
    expect(readdirSync(bodyFolder)).toEqual([]);
    leaving.destroy();
    await here.assembly.gateway.drain(AT_ONCE);
    expect((await counterOf(here)).committedNano).toBe(0n);
  });

  test('what all batches under way may take on disk has a bound, and is given back', async () => {
    const here = await gateway({}, { bodyFileBytes: 5_000 });
    const body = JSON.stringify({ requests: [item('a', {}, { system: 'x'.repeat(6_000) })] });
    const refused = await ask(here.url, { path: PATH, body });
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect(errorOf(refused).message).toContain('TOLLGATE_BATCH_STORAGE');
    for (const id of ['b', 'c']) {
      const served = await ask(here.url, {
        path: PATH,
        body: JSON.stringify({ requests: [item(id, {}, { system: 'x'.repeat(3_000) })] }),
      });
      expect(served.status).toBe(200);
    }
  });

  test('a policy that changed while the batch was sent is the one that counts', async () => {
    const here = await gateway();
    await here.ledger.operator.raiseFences(new Map([['payments/checkout', 2]]));
    const asked = ask(here.url, { path: PATH, body: JSON.stringify({ requests: [item('a'), item('b')] }) });
    const rest = { batches: 'Allow' as const, guards: { maxRequestNano: 1n } };
    await until(async () => (await here.ledger.operator.fences()).get('payments/checkout') === 2);
    here.policy.enforce([resolved(handover({ baseURL: upstream.url, budgets: [daily], version: 2, rest }))]);
    const answer = await asked;
    expect([answer.status, errorOf(answer).type]).toEqual([402, 'billing_error']);
    expect(errorOf(answer).message).toContain('requests[0]: This call may cost up to');
  });

  test('results that break off are booked as far as they came, and the rest later, each line once', async () => {
    const here = await gateway();
    const requests = Array.from({ length: 1_000 }, (_, index) =>
      item(`r-${index}`, { usage: { output_tokens: index % 90 } }),
    );
    const { id } = await sdk(here).messages.batches.create({ requests });
    upstream.behave({ breakAt: 'Middle' });
    const operator = poller(here);
    expect(await operator.look()).toHaveLength(1);
    const half = await counterOf(here);
    expect(half.requests).toBeGreaterThan(0);
    expect(half.requests).toBeLessThan(1_000);
    expect(half.committedNano).toBeGreaterThan(books());
    upstream.behave({});
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

  test('a line that cannot be read costs as much as the dearest request could', async () => {
    const here = await gateway();
    const requests = [item('a', { usage: { input_tokens: -1 } }), item('b', { usage: null })];
    await sdk(here).messages.batches.create({ requests });
    const worst = (await counterOf(here)).committedNano;
    await poller(here).look();
    const counter = await counterOf(here);
    expect(counter.spentNano).toBeGreaterThanOrEqual(worst);
    expect(counter.committedNano).toBe(counter.spentNano);
  });

  test.each<[string, number, (id: string) => Promise<unknown>, Partial<ConstructorParameters<typeof BatchSettler>[0]>]>(
    [
      [
        'deleted behind our back',
        25,
        (id) =>
          fetch(`${upstream.url}${PATH}/${id}`, { method: 'DELETE', headers: { 'x-api-key': 'sk-ant-upstream' } }),
        {},
      ],
      ['of a workspace that is gone', 29 * 24, async () => undefined, { credentials: () => undefined }],
      [
        'whose upstream key is refused for good',
        29 * 24,
        async () => undefined,
        { credentials: () => ({ apiKey: 'sk-none', prices: BOOK }) },
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
    const client = new Client(redis.url);
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

  test('under gateways that remember a batch, and under new ones: it is settled once, and is its workspace’s alone', async () => {
    const installation = `t-${randomUUID()}`;
    let here = await gateway({}, { installation });
    const database = await openDatabase({ folder: mkdtempSync(join(tmpdir(), 'tollgate-log-')) });
    const logOf = ({ ledger }: Running) =>
      new UsageLog({ open: async () => ({ ...database, close: async () => {} }), ledger: ledger.operator });
    const requests = Array.from({ length: restored.requests }, (_, index) =>
      item(`r-${index}`, { usage: { output_tokens: index % 90 } }),
    );
    const { id } = await sdk(here).messages.batches.create({ requests });
    upstream.behave({ breakAt: 'Middle' });
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
    upstream.behave({});
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
    expect(await here.ledger.gateway.batchOwners([id])).toEqual([{ workspace: 'payments/checkout', settled: true }]);
    const [sum] = await database.query(
      'select count(*)::int as lines, sum(cost_nano)::text as nano from calls where batch = $1 and state = $2',
      [id, 'final'],
    );
    expect(sum).toEqual({ lines: restored.requests, nano: String(books()) });
    await database.close();
  });
});

test('an upstream that says there is more and gives the same page again is not asked for ever', () => {
  const listing = new BatchListing({ limit: 2, isBackwards: false, cursor: null });
  const page = { data: [{ id: 'another’s' }], has_more: true, first_id: 'another’s', last_id: 'another’s' };
  listing.add(page, [false]);
  expect(listing.isWhole).toBe(false);
  listing.add(page, [false]);
  expect(listing.isWhole).toBe(true);
});
