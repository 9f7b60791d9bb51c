import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { createServer, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { listen } from '../../../gateway/http/server.ts';
import { scrape } from '../../../hack/run/scrape.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { until } from '../../support/until.ts';
import { BATCHES_PATH, batchGateways, item } from './batch-fixture.ts';
import { counterOf, quarterPasses, settled, standIn, streaming, useGateways } from './fixture.ts';
import { ask, message, type Running } from './harness.ts';

const env = useGateways();
const { books, gatewayWith } = env;
const whole = message();
/** The least that a call of ours can cost at worst: a hundred tokens of output. */
const WORST = 1_000_000n;
const LONG = 2_200;

let redis: Redis;

beforeAll(() => {
  redis = new Redis(env.redis.url);
});

afterAll(() => {
  redis.disconnect();
});

/** What is settled and presumed of all calls, once none is in flight. Nano-dollars. */
async function moneyOf(gateway: Running) {
  const { spentNano, certainNano, requests } = await settled(gateway);
  return { spent: spentNano, presumed: certainNano - spentNano, requests };
}

const html = { status: 502, runs: false };
const apiForm = JSON.stringify({ type: 'error', error: { type: 'api_error', message: 'Internal server error' } });

/** The behaviour, the body, the ending, whether what is presumed is released by itself. */
const PRESUMED: [string, Behaviour, string, string, boolean][] = [
  [
    'an edge that answers 502 at once, while the call is billed',
    { edge: { ...html, runs: true } },
    whole,
    'ForeignStatus',
    true,
  ],
  [
    'an edge that answers 503 at once, and nothing is billed',
    { edge: { ...html, status: 503 } },
    streaming,
    'ForeignStatus',
    true,
  ],
  [
    'an edge that answers 524 late, while the call is billed',
    { edge: { status: 524, runs: true }, latencyMs: LONG },
    whole,
    'ForeignStatus',
    false,
  ],
  ['an edge that redirects', { edge: { status: 302, runs: true } }, whole, 'ForeignStatus', true],
  [
    'an edge that forbids in JSON of its own',
    { edge: { status: 403, type: 'application/json', body: '{"error":{"code":403}}' } },
    whole,
    'ForeignStatus',
    true,
  ],
  [
    'an error of the API by its form, and not by its type',
    { edge: { status: 500, body: apiForm, runs: true } },
    whole,
    'ForeignStatus',
    true,
  ],
  ['an edge that answers 200 with a page', { edge: { status: 200, runs: true } }, whole, 'Unreported', true],
  [
    'an edge that answers 200 with an error of the API',
    { edge: { status: 200, type: 'application/json', body: apiForm, runs: true } },
    whole,
    'Unreported',
    true,
  ],
  ['an edge that answers 200 with nothing', { edge: { status: 200, body: '', runs: true } }, whole, 'Unreported', true],
  [
    'an edge whose stream is a page',
    { edge: { status: 200, type: 'text/event-stream', runs: true } },
    streaming,
    'Broken',
    false,
  ],
  [
    'an edge that answers 200 with a page, late',
    { edge: { status: 200, runs: true }, latencyMs: LONG },
    whole,
    'Unreported',
    false,
  ],
  [
    'an edge that answers 200 with JSON of its own',
    { edge: { status: 200, type: 'application/json', body: '{"completion":"x"}', runs: true } },
    whole,
    'Unreported',
    false,
  ],
  ['an answer without usage', { usage: null }, whole, 'Unreported', false],
  ['an answer whose usage says nothing', { usage: { output_tokens: null } }, whole, 'Unreported', false],
  ['a stream without usage', { usage: null }, streaming, 'Unreported', false],
  ['an answer that is cut as if it were whole', { breakAt: 'Cut', abortBilling: 'Full' }, whole, 'Unreported', false],
  ['a connection that is reset at once', { breakAt: 'Head', abortBilling: 'Full' }, whole, 'Broken', false],
];

describe('what an upstream bills without saying so never goes missing', () => {
  test.each(PRESUMED)(
    'after %s',
    async (_name, behaviour, body, ending, releases) => {
      const installation = `t-${randomUUID()}`;
      const gateway = await gatewayWith({}, { installation });
      await ask(gateway.url, { body, headers: standIn(behaviour) });
      const { spent, presumed } = await moneyOf(gateway);
      expect(spent).toBe(0n);
      expect(presumed).toBeGreaterThanOrEqual(WORST);
      expect(presumed).toBeGreaterThanOrEqual(books());
      expect(gateway.logs).toContainEqual(expect.objectContaining({ ending, cost_usd: 0 }));
      expect(await gateway.ledger.operator.releaseDue()).toMatchObject({ calls: 0 });
      expect(await quarterPasses(gateway, redis, installation)).toBe(releases ? presumed : 0n);
      expect((await moneyOf(gateway)).presumed).toBe(releases ? 0n : presumed);
      expect(await quarterPasses(gateway, redis, installation)).toBe(0n);
    },
    30_000,
  );

  test('after an error event behind content: what was seen is settled, the rest stays presumed', async () => {
    const installation = `t-${randomUUID()}`;
    const gateway = await gatewayWith({}, { installation });
    await ask(gateway.url, {
      body: streaming,
      headers: standIn({ breakAt: 'Event', chunks: 10, abortBilling: 'Full' }),
    });
    const { spent, presumed } = await moneyOf(gateway);
    expect(spent).toBeGreaterThan(0n);
    expect(spent + presumed).toBeGreaterThanOrEqual(books());
    expect(await quarterPasses(gateway, redis, installation)).toBe(0n);
  });

  test('after a caller left while an edge answered', async () => {
    const gateway = await gatewayWith();
    const leaving = new AbortController();
    const behaviour = standIn({ edge: { status: 502, runs: true }, latencyMs: 400 });
    const asked = ask(gateway.url, { body: whole, headers: behaviour, signal: leaving.signal }).catch(() => null);
    await until(() => env.upstream.books().open === 1);
    leaving.abort();
    await asked;
    expect((await moneyOf(gateway)).presumed).toBeGreaterThanOrEqual(books());
  });
});

describe('what an upstream says is what is settled', () => {
  test('a usage beyond the worst case, and beyond what the model can do', async () => {
    const gateway = await gatewayWith();
    for (const body of [whole, streaming]) {
      await ask(gateway.url, {
        body,
        headers: standIn({ usage: { output_tokens: 1_000_000, input_tokens: 2_000_000 } }),
      });
      expect(await moneyOf(gateway)).toMatchObject({ spent: books(), presumed: 0n });
    }
    const metrics = await scrape(gateway.url);
    expect(Number(/^tollgate_overshoot_usd_total\{.*\} (.*)$/m.exec(metrics)![1])).toBeGreaterThan(20);
  });

  test('the final usage of a stream whose connection breaks then', async () => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { body: streaming, headers: standIn({ breakAt: 'AfterUsage' }) });
    expect(answer.torn).toBe(true);
    expect(await moneyOf(gateway)).toEqual({ spent: books(), presumed: 0n, requests: 1 });
    expect(gateway.logs).toContainEqual(expect.objectContaining({ ending: 'Answered', estimated: false }));
  });

  test('an error event before any content: the prompt, and nothing stays presumed', async () => {
    const gateway = await gatewayWith();
    await ask(gateway.url, { body: streaming, headers: standIn({ breakAt: 'EventFirst' }) });
    const { spent, presumed } = await moneyOf(gateway);
    expect(presumed).toBe(0n);
    expect(spent - books()).toBe(10_000n); // one token of output, as message_start says
    const ended = { ending: 'ErrorFirst', error_type: 'overloaded_error', estimated: true };
    expect(gateway.logs).toContainEqual(expect.objectContaining(ended));
  });

  test('an error event before anything: nothing', async () => {
    const gateway = await gatewayWith();
    await ask(gateway.url, { body: streaming, headers: standIn({ breakAt: 'EventOnly' }) });
    expect(await moneyOf(gateway)).toMatchObject({ spent: 0n, presumed: 0n });
    expect(books()).toBe(0n);
    const ended = { ending: 'ErrorFirst', error_type: 'overloaded_error', estimated: false };
    expect(gateway.logs).toContainEqual(expect.objectContaining(ended));
  });

  test('an error of the API that was compressed on its way costs nothing', async () => {
    const server = createServer((req, res) => {
      req.resume();
      res.writeHead(529, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      res.end(gzipSync(apiForm));
    });
    const gateway = await gatewayWith({ baseURL: `http://127.0.0.1:${await listen(server, 0)}` });
    expect((await ask(gateway.url)).status).toBe(529);
    expect(await moneyOf(gateway)).toEqual({ spent: 0n, presumed: 0n, requests: 0 });
    expect(gateway.logs).toContainEqual(expect.objectContaining({ ending: 'ErrorStatus', error_type: 'api_error' }));
    server.close();
  });

  test('an answer that cannot be decoded may hold anything', async () => {
    const server = createServer((req, res) => {
      req.resume();
      res.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'exotic' }).end('???');
    });
    const installation = `t-${randomUUID()}`;
    const baseURL = `http://127.0.0.1:${await listen(server, 0)}`;
    const gateway = await gatewayWith({ baseURL }, { installation });
    await ask(gateway.url, { body: streaming });
    const { presumed } = await moneyOf(gateway);
    expect(presumed).toBeGreaterThanOrEqual(WORST);
    expect(await quarterPasses(gateway, redis, installation)).toBe(0n);
    server.close();
  });
});

describe('an upstream that sends without end', () => {
  const MB = 1024 * 1024;

  /** Calls a gateway whose upstream answers so; returns the answer's length, and the most that this process grew. */
  async function answered(head: OutgoingHttpHeaders, chunks: () => Iterable<Buffer>) {
    const server = createServer((req, res) => {
      req.resume();
      res.writeHead(200, head);
      Readable.from(chunks()).pipe(res);
    });
    const gateway = await gatewayWith({ baseURL: `http://127.0.0.1:${await listen(server, 0)}` });
    const before = process.memoryUsage().rss;
    let most = before;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
    let length = 0;
    const answer = await new Promise<IncomingMessage>((resolve) => {
      const headers = { 'x-api-key': 'sk-tollgate-api' };
      request(`${gateway.url}/v1/messages`, { method: 'POST', headers }, resolve).end(whole);
    });
    for await (const chunk of answer) length += (chunk as Buffer).length;
    const money = await moneyOf(gateway);
    clearInterval(watch);
    server.close();
    return { length, grownMB: (most - before) / MB, money, headers: answer.headers };
  }

  test('an answer of 200 MB goes through as it comes, and its usage is settled', async () => {
    const usage = '"usage":{"input_tokens":10,"output_tokens":20}';
    function* chunks(): Iterable<Buffer> {
      yield Buffer.from('{"type":"message","model":"claude-sonnet-5-5","content":["');
      for (let n = 0; n < 200; n += 1) yield Buffer.alloc(MB, 'x');
      yield Buffer.from(`"],${usage}}`);
    }
    const { length, grownMB, money, headers } = await answered({ 'content-type': 'application/json' }, chunks);
    expect(length).toBeGreaterThan(200 * MB);
    expect(grownMB).toBeLessThan(150);
    expect(headers['x-tollgate-cost-usd']).toBeUndefined();
    expect(money).toEqual({ spent: 10n * 2_000n + 20n * 10_000n, presumed: 0n, requests: 1 });
  });

  test('a megabyte that inflates to a gigabyte is not followed to its end, and its worst case stays presumed', async () => {
    const bomb = gzipSync(Buffer.alloc(1024 * MB, 'x'), { level: 1 });
    const head = { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' };
    const { length, grownMB, money } = await answered(head, () => [bomb]);
    expect(length).toBe(bomb.length);
    expect(grownMB).toBeLessThan(150);
    expect(money.presumed).toBeGreaterThanOrEqual(WORST);
  });
});

describe('a batch', () => {
  const gateway = batchGateways(env, mkdtempSync(join(tmpdir(), 'tollgate-bodies-')));
  const body = JSON.stringify({ requests: [item('a'), item('b')] });

  test.each<[string, Behaviour, string, boolean]>([
    ['an edge answers 502 at once, while the batch is made', { edge: { ...html, runs: true } }, 'ForeignStatus', true],
    ['an edge answers 524 late', { edge: { status: 524, runs: true }, latencyMs: LONG }, 'ForeignStatus', false],
    ['an edge answers 200 with a page', { edge: { status: 200, runs: true } }, 'Unreported', true],
    ['an edge answers 200 with nothing', { edge: { status: 200, body: '', runs: true } }, 'Unreported', true],
    [
      'an edge answers 200 with an error of the API',
      { edge: { status: 200, type: 'application/json', body: apiForm, runs: true } },
      'Unreported',
      true,
    ],
    [
      'an edge answers 200 with a page, late',
      { edge: { status: 200, runs: true }, latencyMs: LONG },
      'Unreported',
      false,
    ],
    [
      'a description of it is cut and called a page',
      { edge: { status: 200, body: '{"id":"msgbatch_1","type":"mess', runs: true } },
      'Unreported',
      false,
    ],
  ])(
    'may exist where %s',
    async (_name, behaviour, ending, releases) => {
      env.upstream.behave(behaviour);
      const installation = `t-${randomUUID()}`;
      const here = await gateway({}, { installation });
      await ask(here.url, { path: BATCHES_PATH, body });
      await until(async () => (await counterOf(here)).certainNano > 0n);
      const { spent, presumed } = await moneyOf(here);
      expect([spent, here.logs.at(-1)]).toEqual([0n, expect.objectContaining({ ending })]);
      expect(presumed).toBeGreaterThanOrEqual(WORST);
      expect(await quarterPasses(here, redis, installation)).toBe(releases ? presumed : 0n);
    },
    30_000,
  );
});
