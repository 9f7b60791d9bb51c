import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { scrape } from '../../../hack/run/scrape.ts';
import { proxiesOf } from '../../../proxy/proxy-environment.ts';
import { type Closing, type ClosingProxy, startClosingProxy } from '../../support/closing-proxy.ts';
import { startConnectProxy } from '../../support/connect-proxy.ts';
import { startTlsFront } from '../../support/tls-front.ts';
import { until } from '../../support/until.ts';
import { BATCHES_PATH, item } from './batch-fixture.ts';
import { type Fixture, quarterPasses, settled, streaming, useGateways } from './fixture.ts';
import { type Answer, ask, message, type Running } from './harness.ts';
import { budget } from './policies.ts';

const env = useGateways();
const { books, gatewayWith, received } = env;
const RESET: Closing = { on: 'Reused', how: 'Reset' };
/** What a call of `message()` is reserved at, at least: a hundred tokens of output. */
const WORST = 1_000_000n;

let redis: Redis;
let way: ClosingProxy;

beforeAll(() => {
  redis = new Redis(env.redis.url);
});

afterAll(() => {
  redis.disconnect();
});

beforeEach(async () => {
  way = await startClosingProxy(env.upstream.port);
});

afterEach(() => way.stop());

/** A clock by which the slowest machine is fast, since two seconds decide. */
const slowClock = (): number => performance.now() / 100;

/** A gateway that has kept a connection to the upstream; its next calls meet `closing`. */
async function keptGateway(
  closing: Closing,
  ...[workspace, options]: Parameters<Fixture['gatewayWith']>
): Promise<Running> {
  const gateway = await gatewayWith({ baseURL: way.url, ...workspace }, { elapsed: slowClock, ...options });
  expect((await ask(gateway.url)).status).toBe(200);
  await settled(gateway);
  way.close(closing);
  return gateway;
}

async function moneyOf(gateway: Running) {
  const { spentNano, certainNano } = await settled(gateway);
  return { spent: spentNano, presumed: certainNano - spentNano };
}

const endingsOf = ({ logs }: Running): unknown[] => logs.flatMap(({ ending = [] }) => ending);

async function retriesOf({ url }: Running): Promise<number> {
  const metrics = await scrape(url);
  return Number(/^tollgate_upstream_retries_total\{.*\} (\d+)$/m.exec(metrics)?.[1] ?? 0);
}

describe('a kept connection that ends without a byte of the answer', () => {
  test.each(['Reset', 'Close'] as const)('(%s) is made up for by a fresh one, with one charge', async (how) => {
    const installation = `t-${randomUUID()}`;
    const gateway = await keptGateway({ on: 'Reused', how }, {}, { installation });
    const answer = await ask(gateway.url);
    expect([answer.status, answer.torn]).toEqual([200, false]);
    const { spent, presumed } = await moneyOf(gateway);
    expect(spent).toBe(books());
    expect(received).toHaveLength(2);
    expect(way.seen).toEqual({ connections: 2, requests: 3 });
    expect(endingsOf(gateway)).toEqual(['Answered', 'StaleConnection', 'Answered']);
    expect(await retriesOf(gateway)).toBe(1);
    // The first attempt may have arrived, so it keeps its worst case for a while.
    expect(presumed).toBeGreaterThanOrEqual(WORST);
    expect(await quarterPasses(gateway, redis, installation)).toBe(presumed);
    expect(await moneyOf(gateway)).toEqual({ spent: books(), presumed: 0n });
  });

  test('has the edited body sent again, and the stream comes whole', async () => {
    const gateway = await keptGateway(RESET, { rest: { guards: { maxOutputTokens: 90 } } });
    const answer = await ask(gateway.url, { body: streaming });
    expect(answer.text).toContain('message_stop');
    const { spent } = await moneyOf(gateway);
    expect(spent).toBe(books());
    expect(received).toHaveLength(2);
    expect(received[1]!.body.toString()).toBe(streaming.replace('100', '90'));
  });

  test('has a body of megabytes sent again', async () => {
    const gateway = await keptGateway(RESET);
    const body = message({ messages: [{ role: 'user', content: 'x'.repeat(2_000_000) }] });
    expect((await ask(gateway.url, { body })).status).toBe(200);
    expect((await moneyOf(gateway)).spent).toBe(books());
    expect(received[1]!.body.toString()).toBe(body);
  });

  test('that had arrived all the same is covered: both attempts are billed, and both have a reservation', async () => {
    const gateway = await keptGateway({ ...RESET, arrives: true });
    expect((await ask(gateway.url)).status).toBe(200);
    await until(() => received.length === 3);
    const { spent, presumed } = await moneyOf(gateway);
    expect(spent).toBeLessThan(books());
    expect(spent + presumed).toBeGreaterThanOrEqual(books());
  });

  test('is not made up for where the budget has no room for both attempts', async () => {
    const body = message({ max_tokens: 1_000 });
    // Room for the call before and one worst case of the next.
    const gateway = await keptGateway({ ...RESET, arrives: true }, { budgets: [budget('daily', '0.015')] });
    const answer = await ask(gateway.url, { body });
    expect([answer.status, answer.headers['x-should-retry']]).toEqual([429, 'false']);
    await until(() => received.length === 2);
    expect(books()).toBeLessThanOrEqual(15_000_000n);
    const { spent, presumed } = await moneyOf(gateway);
    expect(spent + presumed).toBeGreaterThanOrEqual(books());
    expect(await retriesOf(gateway)).toBe(0);
  });

  test('in 200 calls at once fails none of them', async () => {
    const gateway = await gatewayWith({ baseURL: way.url }, { elapsed: slowClock });
    const burst = (): Promise<Answer[]> => Promise.all(Array.from({ length: 200 }, () => ask(gateway.url)));
    env.upstream.behave({ latencyMs: 200 });
    await burst();
    env.upstream.behave({});
    way.close(RESET);
    for (const { status } of await burst()) expect(status).toBe(200);
    expect((await moneyOf(gateway)).spent).toBe(books());
    expect(received).toHaveLength(400);
    expect(await retriesOf(gateway)).toBeGreaterThan(0);
  });

  test.each(['http', 'https'])('is made up for through a proxy, to an upstream with %s', async (scheme) => {
    const tls = await startTlsFront('upstream.test', way.port);
    const proxy = await startConnectProxy({ 'upstream.test:443': tls.port, 'upstream.test:80': way.port });
    const proxyFor = proxiesOf({ [`${scheme.toUpperCase()}_PROXY`]: proxy.url });
    const gateway = await keptGateway(RESET, { baseURL: `${scheme}://upstream.test` }, { proxyFor });
    expect((await ask(gateway.url)).status).toBe(200);
    expect((await moneyOf(gateway)).spent).toBe(books());
    expect(endingsOf(gateway)).toEqual(['Answered', 'StaleConnection', 'Answered']);
    expect(proxy.asked).toHaveLength(2);
    await proxy.stop();
    tls.close();
  });

  test('is made up for in count_tokens, which is free', async () => {
    const gateway = await keptGateway(RESET);
    const before = books();
    const { max_tokens: _, ...prompt } = JSON.parse(message()) as { max_tokens: number };
    const answer = await ask(gateway.url, { path: '/v1/messages/count_tokens', body: JSON.stringify(prompt) });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('input_tokens');
    expect(way.seen.requests).toBe(3);
    expect(books()).toBe(before);
  });
});

describe('a call is not sent again', () => {
  /** One attempt, which cost nothing that is known, and holds its worst case. */
  async function expectOneAttempt(gateway: Running, attempts = 1): Promise<void> {
    const { spent, presumed } = await moneyOf(gateway);
    expect(presumed).toBeGreaterThanOrEqual(WORST);
    expect(spent).toBe(books());
    const { requests } = way.seen;
    expect(requests - received.length).toBe(attempts);
    expect(await retriesOf(gateway)).toBe(attempts - 1);
  }

  test('if its connection was new', async () => {
    const gateway = await gatewayWith({ baseURL: way.url });
    way.close({ on: 'New', how: 'Reset' });
    expect((await ask(gateway.url)).status).toBe(502);
    await expectOneAttempt(gateway);
    expect(endingsOf(gateway)).toEqual(['Broken']);
  });

  test('a second time', async () => {
    const gateway = await keptGateway({ on: 'All', how: 'Reset' });
    expect((await ask(gateway.url)).status).toBe(502);
    await expectOneAttempt(gateway, 2);
    expect(endingsOf(gateway)).toEqual(['Answered', 'StaleConnection', 'Broken']);
  });

  test.each(['H', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 200 OK\r\n'])('after the bytes %j', async (bytes) => {
    const gateway = await keptGateway({ ...RESET, how: 'Close', bytes });
    expect((await ask(gateway.url)).status).toBe(502);
    await expectOneAttempt(gateway);
    expect(endingsOf(gateway)).toEqual(['Answered', 'Broken']);
  });

  test('if it had two seconds to be worked on', async () => {
    const elapsed = (): number => performance.now() * 10;
    const gateway = await keptGateway({ ...RESET, after: () => sleep(250) }, {}, { elapsed });
    expect((await ask(gateway.url)).status).toBe(502);
    await expectOneAttempt(gateway);
    expect(endingsOf(gateway)).toEqual(['Answered', 'Broken']);
  });

  test('after a time-out', async () => {
    const gateway = await keptGateway(
      { ...RESET, after: () => new Promise(() => undefined) },
      {},
      { upstreamTimeoutMs: 500 },
    );
    expect((await ask(gateway.url)).status).toBe(504);
    await expectOneAttempt(gateway);
    expect(endingsOf(gateway)).toEqual(['Answered', 'Broken']);
  });

  test.each([message(), streaming])('if the caller has left (%#)', async (body) => {
    const { promise: left, resolve: end } = Promise.withResolvers<void>();
    const gateway = await keptGateway({ ...RESET, after: () => left });
    const leaving = new AbortController();
    const asked = ask(gateway.url, { body, signal: leaving.signal }).catch(() => null);
    await until(() => way.seen.requests === 2);
    leaving.abort();
    expect(await asked).toBeNull();
    await sleep(100); // the gateway sees that the caller is gone
    end();
    await until(() => endingsOf(gateway).length === 2);
    await expectOneAttempt(gateway);
  });

  test('if it creates a batch, which may run without its connection', async () => {
    const rest = { batches: 'Allow' as const };
    const bodyFolder = mkdtempSync(join(tmpdir(), 'tollgate-stale-'));
    const gateway = await keptGateway(RESET, { rest }, { bodyFolder });
    const body = JSON.stringify({ requests: [item('one')] });
    expect((await ask(gateway.url, { path: BATCHES_PATH, body })).status).toBe(502);
    const { spent, presumed } = await moneyOf(gateway);
    expect(spent).toBe(books());
    expect(presumed).toBeGreaterThan(0n);
    expect(way.seen.requests).toBe(2);
  });
});
