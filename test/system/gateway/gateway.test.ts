import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { readConfig } from '../../../gateway/config.ts';
import { ByteQuota } from '../../../gateway/http/byte-quota.ts';
import { Certificate } from '../../../gateway/http/certificate.ts';
import { ChunkBuffer } from '../../../gateway/http/chunk-buffer.ts';
import { listen } from '../../../gateway/http/server.ts';
import { readEntry } from '../../../log/call-row.ts';
import type { CompiledBudget } from '../../../policy/core/compiled-policy.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { budgetFigures, budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { type Received, startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { writeCertificate } from '../../support/certificate.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { ask, AT_ONCE, errorOf, message, type Running, startGateway, type StartOptions } from './harness.ts';
import { budget, handover, resolved, type WorkspaceOptions } from './policies.ts';

let redis: Awaited<ReturnType<typeof startRedis>>;
let upstream: Upstream;
const received: Received[] = [];
const running: Running[] = [];

beforeAll(async () => {
  redis = await startRedis();
  upstream = await startUpstream({ observe: (request) => received.push(request) });
});

afterEach(async () => {
  upstream.release();
  await Promise.all(running.splice(0).map((gateway) => gateway.stop()));
  upstream.clearBooks();
  upstream.behave({});
  received.length = 0;
});

afterAll(async () => {
  await upstream.close();
  await redis.stop();
});

/** A gateway in front of the stand-in, with one workspace. */
async function gatewayWith(
  workspace: Partial<WorkspaceOptions> = {},
  options: Partial<StartOptions> = {},
): Promise<Running> {
  const given = handover({ baseURL: upstream.url, budgets: [budget('daily', '25.00')], ...workspace });
  const gateway = await startGateway({ redisUrl: redis.url, handover: given, ...options });
  running.push(gateway);
  return gateway;
}

/** What the ledger holds of a budget. */
async function counterOf({ ledger }: Running, one: CompiledBudget = budget('daily', '25.00')) {
  const { now } = await ledger.operator.state();
  const [reading] = await ledger.operator.read([budgetFiguresQuery(one, now)]);
  return { ...reading!.total, standing: budgetFigures(one, reading!, now) };
}

/** Waits until nothing of the budget is reserved: what was in flight is booked, released or presumed. */
async function settled(gateway: Running, one?: CompiledBudget) {
  await until(async () => {
    const counter = await counterOf(gateway, one);
    return counter.committedNano === counter.certainNano;
  });
  return counterOf(gateway, one);
}

const books = (): bigint => BigInt(upstream.books().total.nanoUsd);
const standIn = (behaviour: Behaviour): Record<string, string> => ({ 'x-stand-in': JSON.stringify(behaviour) });
const streaming = message({ stream: true });

const OTHER_FEATURE = { 'x-api-key': 'sk-tollgate-other' };
/** Two keys: the usual one, of the feature `checkout`, and another one of `feature`. */
const twoFeatures = (feature: string): Partial<WorkspaceOptions> => ({
  keys: { api: 'sk-tollgate-api', other: 'sk-tollgate-other' },
  rest: {
    keys: [
      { name: 'api', priority: 'Normal', attributes: { feature: 'checkout' } },
      { name: 'other', priority: 'Normal', attributes: { feature } },
    ],
  },
});

describe('a call', () => {
  test('is answered, metered and booked to the nano-dollar', async () => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url);
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toMatchObject({ type: 'message', model: 'claude-sonnet-5-5' });
    const counter = await settled(gateway);
    expect(counter).toMatchObject({ spentNano: books(), requests: 1 });
    expect(counter.spentNano).toBeGreaterThan(0n);
    expect(parseUsd(String(answer.headers['x-tollgate-cost-usd']))).toBe(books());
    expect(answer.headers['x-tollgate-budget-remaining-usd']).toBe('24.99');
    expect(answer.headers['request-id']).toMatch(/^req_/);
  });

  test('streams as it comes and is booked from its last usage', async () => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, {
      path: '/team/v1/messages?beta=true',
      body: streaming,
      headers: standIn({ chunks: 10 }),
    });
    expect(answer.headers['content-type']).toContain('text/event-stream');
    expect(answer.headers['x-tollgate-budget-remaining-usd']).toBe('24.99');
    expect(answer.text).toMatch(/^event: message_start\n[^]*event: message_stop\n.*\n\n$/);
    expect((await settled(gateway)).spentNano).toBe(books());
    expect(received[0]!.url).toBe('/v1/messages?beta=true');
  });

  test('goes upstream byte for byte, without who called, and comes down without who paid', async () => {
    const gateway = await gatewayWith({ rest: { headers: { customer: 'x-shop-customer' } } });
    const body = `{ "max_tokens":100,  "model":"claude-sonnet-5-5","messages":[{"role":"user","content":"h\\u00e9, ü"}]}`;
    await ask(gateway.url, {
      body,
      headers: {
        authorization: 'Bearer sk-tollgate-api',
        'accept-encoding': 'gzip, br',
        'anthropic-beta': 'one,two',
        'anthropic-workspace-id': 'wrkspc_1',
        'anthropic-user-profile-id': 'p',
        connection: 'keep-alive, x-hop',
        cookie: 'a=b',
        te: 'trailers',
        'x-hop': '1',
        'x-shop-customer': 'acme',
        'x-tollgate-user': 'ann',
        'user-agent': 'claude-cli/2.1.330',
      },
    });
    expect(received[0]!.body.toString()).toBe(body);
    const { host, connection, ...headers } = received[0]!.headers;
    expect(`http://${host}`).toBe(upstream.url);
    expect(connection).toBe('keep-alive');
    expect(headers).toEqual({
      'x-api-key': 'sk-ant-upstream',
      'accept-encoding': 'identity',
      'anthropic-beta': 'one,two',
      'anthropic-version': '2023-06-01',
      'content-length': String(Buffer.byteLength(body)),
      'content-type': 'application/json',
      'user-agent': 'claude-cli/2.1.330',
    });
  });

  test('is changed only where a guard says so', async () => {
    const gateway = await gatewayWith({ rest: { guards: { maxOutputTokens: 50 } } });
    await ask(gateway.url, { body: message({ max_tokens: 128_000 }) });
    expect(received[0]!.body.toString()).toBe(message({ max_tokens: 50 }));
  });

  test('is logged in one line, without its prompt or its key', async () => {
    const gateway = await gatewayWith();
    await ask(gateway.url, { headers: { 'x-tollgate-customer': 'acme' } });
    await settled(gateway);
    const line = gateway.logs.find((one) => 'cost_usd' in one)!;
    const { level: _level, time: _time, ...rest } = line;
    expect(Object.keys(rest).slice(0, 5)).toEqual(['feature', 'model', 'input_tokens', 'output_tokens', 'cost_usd']);
    expect(rest).toMatchObject({
      feature: 'checkout',
      model: 'claude-sonnet-5-5',
      workspace: 'payments/checkout',
      key: 'api',
    });
    expect(JSON.stringify(gateway.logs)).not.toMatch(/Hello|sk-/);
  });

  test('leaves a record in the usage stream', async () => {
    const gateway = await gatewayWith({}, { installation: 'records' });
    const session = '3f0e1c9a-6c1f-4a52-9d0b-1f1d7a5f1f11';
    await ask(gateway.url, { headers: { 'x-tollgate-customer': 'Müller', 'x-claude-code-session-id': session } });
    await settled(gateway);
    const [entry] = await gateway.ledger.operator.readUsage(10);
    expect(entry?.record).toMatchObject({
      state: 'final',
      workspace: 'payments/checkout',
      key: 'api',
      feature: 'checkout',
      customer: 'Müller',
      model: 'claude-sonnet-5-5',
      output_tokens: 40,
      cost_nano: String(books()),
      presumed_nano: '0',
      estimated: false,
      ending: 'Answered',
      status: 200,
      error_type: null,
      session,
      first_byte_ms: expect.any(Number),
      duration_ms: expect.any(Number),
    });
    // What the log has no place for would be details of every row.
    expect(readEntry(entry!)).toMatchObject({ deadLetter: null, row: { values: { details: null } } });
  });

  test('names the session of Claude Code that only the body has, and the one in the header over it', async () => {
    const gateway = await gatewayWith({}, { installation: 'sessions' });
    const body = message({ metadata: { user_id: '{"device_id":"d","account_uuid":"","session_id":"in-the-body"}' } });
    await ask(gateway.url, { body });
    await settled(gateway);
    await ask(gateway.url, { body, headers: { 'x-claude-code-session-id': 'in-the-header' } });
    await settled(gateway);
    const sessions = (await gateway.ledger.operator.readUsage(10)).map(({ record }) => record['session']);
    expect(sessions).toEqual(['in-the-body', 'in-the-header']);
  });

  test('without money: count_tokens and models go on when the budget is spent, and only for allowed models', async () => {
    const gateway = await gatewayWith({
      budgets: [budget('daily', '0')],
      rest: { models: { allow: ['claude-sonnet-*'], unknown: 'Refuse' } },
    });
    expect(errorOf(await ask(gateway.url)).type).toBe('budget_exceeded');
    const count = await ask(gateway.url, {
      path: '/v1/messages/count_tokens',
      body: '{"model":"claude-sonnet-5-5","messages":[]}',
    });
    expect([count.status, JSON.parse(count.text)]).toEqual([200, { input_tokens: expect.any(Number) }]);
    const other = await ask(gateway.url, {
      path: '/v1/messages/count_tokens',
      body: '{"model":"claude-opus-5-5","messages":[]}',
    });
    expect([other.status, errorOf(other).type]).toEqual([400, 'policy_blocked']);
    const models = await ask(gateway.url, { method: 'GET', path: '/v1/models?limit=1000' });
    const ids = (JSON.parse(models.text) as { data: { id: string }[] }).data.map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(0);
    expect(ids.every((id) => id.startsWith('claude-sonnet-'))).toBe(true);
    expect((await ask(gateway.url, { method: 'GET', path: '/v1/models/claude-sonnet-5-5' })).status).toBe(200);
    expect((await ask(gateway.url, { method: 'GET', path: '/v1/models/claude-opus-5-5' })).status).toBe(404);
    expect(upstream.books().total.calls).toBe(0);
  });

  test('HEAD is answered without a credential', async () => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { method: 'HEAD', path: '/', headers: { 'x-api-key': '' } });
    expect([answer.status, answer.text]).toEqual([200, '']);
  });
});

describe('a caller', () => {
  const two = { api: 'sk-tollgate-api', batch: 'sk-tollgate-batch' };
  test.each([
    ['the key as x-api-key', { 'x-api-key': 'sk-tollgate-api' }],
    ['the key as a bearer token', { 'x-api-key': '', authorization: 'Bearer sk-tollgate-api' }],
    ['the same key as both', { 'x-api-key': 'sk-tollgate-api', authorization: 'Bearer sk-tollgate-api' }],
    ['a key and something that is not ours', { 'x-api-key': 'sk-tollgate-api', authorization: 'Bearer else' }],
  ])('with %s is served', async (_name, headers) => {
    const gateway = await gatewayWith({ keys: two });
    expect((await ask(gateway.url, { headers })).status).toBe(200);
  });

  test.each([
    ['two different keys of ours', { 'x-api-key': 'sk-tollgate-api', authorization: 'Bearer sk-tollgate-batch' }],
    ['no key', { 'x-api-key': '' }],
    ['a bad key', { 'x-api-key': 'sk-tollgate-nobody' }],
    ['the upstream’s key', { 'x-api-key': 'sk-ant-upstream' }],
  ])('with %s is not', async (_name, headers) => {
    const gateway = await gatewayWith({ keys: two });
    const answer = await ask(gateway.url, { headers });
    expect([answer.status, errorOf(answer).type]).toEqual([401, 'authentication_error']);
    expect(answer.headers['x-should-retry']).toBe('false');
    expect(received).toEqual([]);
  });

  test('whose key was revoked is nobody', async () => {
    const gateway = await gatewayWith({ keys: two });
    expect((await ask(gateway.url, { headers: { 'x-api-key': 'sk-tollgate-batch' } })).status).toBe(200);
    gateway.policy.enforce([
      resolved(handover({ baseURL: upstream.url, budgets: [budget('daily', '25.00')], version: 2 })),
    ]);
    expect((await ask(gateway.url, { headers: { 'x-api-key': 'sk-tollgate-batch' } })).status).toBe(401);
    expect((await ask(gateway.url)).status).toBe(200);
  });

  test('may not claim an attribute that is too long or holds controls', async () => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { headers: { 'x-tollgate-customer': 'x'.repeat(257) } });
    expect([answer.status, errorOf(answer).type]).toEqual([400, 'policy_blocked']);
    expect((await ask(gateway.url, { headers: { 'x-tollgate-customer': 'a\tb' } })).status).toBe(400);
  });

  test('reads every value of a budget with per, where status has only the ten dearest', async () => {
    const each = budget('each', '1.00', { per: ['customer'], totalNano: parseUsd('25.00') });
    const gateway = await gatewayWith({ budgets: [each] });
    for (let n = 0; n < 12; n++) await ask(gateway.url, { headers: { 'x-tollgate-customer': `customer-${n}` } });
    await settled(gateway);
    const answer = await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets' });
    const { budgets } = JSON.parse(answer.text) as { budgets: { top: { values: string[] }[] }[] };
    const seen = budgets[0]!.top.flatMap(({ values }) => values);
    expect(new Set(seen)).toEqual(new Set(Array.from({ length: 12 }, (_, n) => `customer-${n}`)));
  });

  test('reads nothing of other customers where its key says which one it is', async () => {
    const each = budget('each', '1.00', { per: ['customer'], totalNano: parseUsd('25.00') });
    const keys = { any: 'sk-tollgate-any', acme: 'sk-tollgate-acme' };
    const fixed = { name: 'acme', priority: 'Normal', attributes: { customer: 'acme' } } as const;
    const rest = { keys: [{ name: 'any', priority: 'Normal', attributes: {} }, fixed] } as const;
    const gateway = await gatewayWith({ budgets: [each], keys, rest });
    await ask(gateway.url, { headers: { 'x-api-key': keys.any, 'x-tollgate-customer': 'umbrella' } });
    await ask(gateway.url, { headers: { 'x-api-key': keys.acme } });
    await settled(gateway);
    const headers = { 'x-api-key': keys.acme };
    const answer = await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets', headers });
    expect(answer.text).toContain('acme');
    expect(answer.text).not.toContain('umbrella');
  });

  test('reads its own budgets, and of spanning ones only name and reset', async () => {
    const organisation = budget('organisation', '3000.00', {
      namespace: 'tollgate-system',
      period: { every: 'Month', timeZone: 'UTC' },
    });
    const gateway = await gatewayWith({ spanning: [organisation] });
    await ask(gateway.url);
    await settled(gateway);
    const answer = await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets' });
    const { budgets } = JSON.parse(answer.text) as { budgets: Record<string, unknown>[] };
    expect(budgets[0]).toMatchObject({
      budget: 'payments/daily',
      limitUsd: '25.00',
      requests: 1,
      remainingUsd: '24.99',
    });
    expect(budgets[1]).toEqual({
      budget: 'tollgate-system/organisation',
      resetAt: expect.stringMatching(/-01T00:00:00Z$/),
    });
    expect(
      (await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets', headers: { 'x-api-key': '' } })).status,
    ).toBe(401);
  });
});

describe('bad input', () => {
  test.each([
    ['broken JSON', '{"model":', 400, 'invalid_request_error'],
    ['a list', '[]', 400, 'invalid_request_error'],
    ['nothing', '', 400, 'invalid_request_error'],
    ['the model twice', message().replace('{', '{"model":"claude-haiku-4-5",'), 400, 'invalid_request_error'],
    [
      'the model twice, once escaped',
      message().replace('{', '{"mod\\u0065l":"claude-haiku-4-5",'),
      400,
      'invalid_request_error',
    ],
    ['max_tokens beyond all counting', message({ max_tokens: 2 ** 53 - 1 }), 400, 'invalid_request_error'],
    ['an unknown model', message({ model: 'claude-unheard-of' }), 400, 'policy_blocked'],
    ['a model that is not allowed', message({ model: 'gpt-5' }), 400, 'policy_blocked'],
    [
      'a tool of Anthropic without max_uses',
      message({ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }),
      400,
      'policy_blocked',
    ],
    ['a field without a price', message({ sponsor: 'me' }), 400, 'policy_blocked'],
  ])('%s is refused and nothing goes upstream', async (_name, body, status, type) => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { body });
    expect([answer.status, errorOf(answer).type]).toEqual([status, type]);
    expect(answer.headers['x-should-retry']).toBe('false');
    expect(answer.headers['request-id']).toMatch(/^req_/);
    expect(received).toEqual([]);
    expect(await counterOf(gateway)).toMatchObject({ spentNano: 0n, committedNano: 0n });
  });

  test('a body over 32 MB is refused whether or not it says so', async () => {
    const gateway = await gatewayWith();
    const body = Buffer.alloc(32 * 1024 * 1024 + 1, 0x20);
    const length = { 'content-length': String(body.length) };
    for (const headers of [length, { 'transfer-encoding': 'chunked' }]) {
      const answer = await ask(gateway.url, { body, headers });
      expect([answer.status, errorOf(answer).type]).toEqual([413, 'request_too_large']);
    }
  });

  test('a compressed body is refused', async () => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { body: gzipSync(message()), headers: { 'content-encoding': 'gzip' } });
    expect([answer.status, errorOf(answer).type]).toEqual([415, 'invalid_request_error']);
  });

  test.each([
    '/v1/complete',
    '//v1/messages',
    '/v1/../v1/messages',
    '/v1/%6dessages',
    '/v1/messages/',
    '/v1/messages/batches/a/b',
  ])('%s is not found', async (path) => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { path });
    expect([answer.status, errorOf(answer).type]).toEqual([404, 'not_found_error']);
    expect(received).toEqual([]);
  });

  test('a request that breaks off costs nothing', async () => {
    const gateway = await gatewayWith();
    const { port, hostname } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    socket.write(
      'POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: sk-tollgate-api\r\ncontent-length: 500\r\n\r\n{"model"',
    );
    await sleep(50);
    socket.resetAndDestroy();
    await sleep(50);
    expect(received).toEqual([]);
    expect(gateway.assembly.openCalls.count).toBe(0);
  });
});

describe('a budget', () => {
  test('that is spent refuses with one clear sentence', async () => {
    const gateway = await gatewayWith({ budgets: [budget('daily', '0.0015')] });
    expect((await ask(gateway.url)).status).toBe(200);
    await settled(gateway);
    const answer = await ask(gateway.url);
    expect(answer.status).toBe(429);
    expect(answer.headers).toMatchObject({ 'x-should-retry': 'false' });
    expect(answer.headers['retry-after']).toBeUndefined();
    expect(errorOf(answer)).toMatchObject({
      type: 'budget_exceeded',
      budget: 'payments/daily',
      reset_at: expect.stringMatching(/T00:00:00Z$/),
    });
    expect(errorOf(answer).message).toMatch(/payments\/daily.*Ask #claude-costs\.$/);
    expect(books()).toBe((await settled(gateway)).spentNano);
  });

  test('that is spent leaves one row of refusals a minute, whose key it was and which budget refused', async () => {
    const gateway = await gatewayWith({ budgets: [budget('daily', '0')] });
    for (let i = 0; i < 5; i++) expect((await ask(gateway.url)).status).toBe(429);
    expect((await ask(gateway.url, { headers: { 'x-api-key': 'sk-tollgate-nobody' } })).status).toBe(401);
    await gateway.assembly.stop(AT_ONCE);
    const rows = (await gateway.ledger.operator.readRefusals(100)).map(({ row }) => row);
    const countOf = (workspace: string, key: string, budget: string, reason: string): number =>
      rows
        .filter((row) => row.workspace === workspace && row.key === key && row.budget === budget)
        .filter((row) => row.reason === reason && row.minute % 60_000 === 0)
        .reduce((sum, { count }) => sum + count, 0);
    expect(countOf('payments/checkout', 'api', 'payments/daily', 'BudgetSpent')).toBe(5);
    expect(countOf('', '', '', 'UnknownKey')).toBe(1);
    expect(rows.length).toBeLessThanOrEqual(4);
  });

  test('whose rest is in flight lets calls wait until it settles, first come first served', async () => {
    const one = budget('daily', '0.0014');
    const gateway = await gatewayWith({ budgets: [one] });
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        ask(gateway.url, { body: message({ max_tokens: 40 }), headers: standIn({ latencyMs: 30, text: 'toll' }) }),
      ),
    );
    const through = answers.filter(({ status }) => status === 200).length;
    expect(through).toBeGreaterThan(1);
    const counter = await settled(gateway, one);
    expect(counter.spentNano).toBe(books());
    expect(counter.requests).toBe(through);
  });

  test('that stays full answers after the waiting time that a short wait may help, though the clock is put back', async () => {
    const clock = { lateMs: 0 };
    const gateway = await gatewayWith(
      { budgets: [budget('daily', '0.0014')] },
      { settings: { waitSeconds: 1 }, now: () => Date.now() - clock.lateMs },
    );
    const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
    await until(() => upstream.books().open === 1);
    const waiting = ask(gateway.url);
    await until(() => gateway.assembly.openCalls.count === 2);
    clock.lateMs = 3_600_000;
    const answer = await waiting;
    expect([answer.status, errorOf(answer).type]).toEqual([429, 'rate_limit_error']);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.headers['x-should-retry']).toBeUndefined();
    upstream.release();
    expect((await held).status).toBe(200);
  });

  test('lets what is exempt pass the line of those who wait for it', async () => {
    const gateway = await gatewayWith({
      budgets: [budget('daily', '0.0014', { exempt: { features: ['fraud-check'] } })],
      ...twoFeatures('fraud-check'),
    });
    const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
    await until(() => upstream.books().open === 1);
    const waiting = ask(gateway.url);
    await sleep(200);
    const exempt = ask(gateway.url, { headers: OTHER_FEATURE });
    expect(await Promise.race([exempt, waiting, held])).toBe(await exempt);
    expect((await exempt).status).toBe(200);
    upstream.release();
    await Promise.all([held, waiting]);
  });

  test('with room again is not kept from others by who waits for another budget', async () => {
    const gateway = await gatewayWith({
      budgets: [budget('all', '0.0028'), budget('checkout', '0.0014', { scope: { features: ['checkout'] } })],
      ...twoFeatures('search'),
    });
    const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
    await until(() => upstream.books().open === 1);
    const short = ask(gateway.url, { headers: { ...OTHER_FEATURE, ...standIn({ latencyMs: 500, text: 'toll' }) } });
    await until(() => upstream.books().open === 2);
    const waiting = ask(gateway.url);
    await short;
    const other = ask(gateway.url, { headers: OTHER_FEATURE });
    expect(await Promise.race([other, waiting, held])).toBe(await other);
    expect((await other).status).toBe(200);
    upstream.release();
    await Promise.all([held, waiting]);
  });

  test('that moved on is planned anew: a stale policy catches up, a deleted key does not', async () => {
    const gateway = await gatewayWith();
    await gateway.ledger.operator.raiseFences(new Map([['payments/checkout', 2]]));
    const waiting = ask(gateway.url);
    await sleep(100);
    gateway.policy.enforce([
      resolved(handover({ baseURL: upstream.url, budgets: [budget('daily', '0')], version: 2 })),
    ]);
    expect(errorOf(await waiting).type).toBe('budget_exceeded');
    await gateway.ledger.operator.raiseFences(new Map([['payments/checkout', 3]]));
    const orphan = ask(gateway.url);
    await sleep(100);
    gateway.policy.drop('payments/checkout');
    gateway.policy.enforce([
      resolved(handover({ baseURL: upstream.url, version: 3, keys: { api: 'sk-tollgate-new' } })),
    ]);
    expect((await orphan).status).toBe(401);
    expect(upstream.books().total.calls).toBe(0);
  });
});

describe('an upstream', () => {
  const WORST = 1_000_000n;

  test.each([400, 429, 500, 529])('that answers %d is passed on verbatim, and nothing is booked', async (status) => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, {
      headers: standIn({ status, retryAfter: 7, error: { type: 'overloaded_error', message: 'Overloaded' } }),
    });
    expect(answer.status).toBe(status);
    expect(answer.headers['retry-after']).toBe('7');
    expect(JSON.parse(answer.text)).toMatchObject({
      type: 'error',
      error: { type: 'overloaded_error', message: 'Overloaded' },
    });
    expect(await settled(gateway)).toMatchObject({ spentNano: 0n, committedNano: 0n, requests: 0 });
    const error = { ending: 'ErrorStatus', status, error_type: 'overloaded_error' };
    expect(gateway.logs).toContainEqual(expect.objectContaining({ ...error, cost_usd: 0 }));
    await until(async () => (await gateway.ledger.operator.readUsage(10)).length === 1);
    const [entry] = await gateway.ledger.operator.readUsage(10);
    expect(entry).toMatchObject({ record: { ...error, state: 'final', cost_nano: '0' }, counters: [] });
  });

  test('that is not there costs nothing', async () => {
    const gateway = await gatewayWith({ baseURL: 'http://127.0.0.1:1' });
    const answer = await ask(gateway.url);
    expect([answer.status, errorOf(answer).type]).toEqual([502, 'api_error']);
    expect(await settled(gateway)).toMatchObject({ spentNano: 0n, committedNano: 0n });
    expect(gateway.logs).toContainEqual(expect.objectContaining({ ending: 'NeverSent', cost_usd: 0 }));
  });

  test.each([
    ['Head', 502, false],
    ['Start', 200, true],
    ['Middle', 200, true],
    ['Event', 200, false],
    ['Cut', 200, false],
  ] as const)('whose stream breaks (%s) is booked as seen, the rest is presumed', async (breakAt, status, torn) => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { body: streaming, headers: standIn({ breakAt, chunks: 10 }) });
    expect([answer.status, answer.torn]).toEqual([status, torn]);
    const counter = await settled(gateway);
    const seen = breakAt !== 'Head' && breakAt !== 'Start';
    expect(counter.spentNano > 0n).toBe(seen);
    expect(counter.spentNano).toBeGreaterThanOrEqual(books());
    expect(counter.certainNano).toBeGreaterThanOrEqual(WORST);
    const [entry] = await gateway.ledger.operator.readUsage(10);
    expect(entry?.record['error_type']).toBe(breakAt === 'Event' ? 'overloaded_error' : null);
  });

  test.each([
    ['no usage', { usage: null }],
    ['negative usage', { usage: { output_tokens: -5 } }],
    ['usage beyond the model', { usage: { output_tokens: 10_000_000 } }],
    ['usage that is no number', { usage: { input_tokens: '12' } }],
  ])('that reports %s is booked at the worst', async (_name, behaviour) => {
    const gateway = await gatewayWith();
    for (const body of [message(), streaming]) {
      const before = await counterOf(gateway);
      expect((await ask(gateway.url, { body, headers: standIn(behaviour) })).status).toBe(200);
      const counter = await settled(gateway);
      expect(counter.spentNano - before.spentNano).toBeGreaterThanOrEqual(WORST);
      expect(counter.certainNano).toBe(counter.spentNano);
    }
  });

  test('that charges more than its rules say is booked exactly and counted', async () => {
    const gateway = await gatewayWith();
    await ask(gateway.url, { headers: standIn({ usage: { output_tokens: 5000 } }) });
    const counter = await settled(gateway);
    expect(counter.spentNano).toBe(books());
    const metrics = await ask(gateway.url, { method: 'GET', path: '/metrics' });
    expect(Number(/^tollgate_overshoot_usd_total\{.*\} (.*)$/m.exec(metrics.text)![1])).toBeGreaterThan(0.04);
  });

  test('that writes faster than the caller reads is held back', async () => {
    const piece = Buffer.from(`event: content_block_delta\ndata: {"text":"${'x'.repeat(65_000)}"}\n\n`);
    const PIECES = 1000;
    let written = 0;
    const source = createServer((req, res) => {
      req.resume();
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      const go = (): void => {
        while (written < PIECES) {
          written += 1;
          if (!res.write(piece)) return void res.once('drain', go);
        }
        res.end();
      };
      go();
    });
    const port = await listen(source, 0);
    const gateway = await gatewayWith({ baseURL: `http://127.0.0.1:${port}` });
    const answer = await new Promise<IncomingMessage>((resolve) => {
      const headers = { 'x-api-key': 'sk-tollgate-api' };
      request(`${gateway.url}/v1/messages`, { method: 'POST', headers }, resolve).end(streaming);
    });
    let before = -1;
    await until(async () => {
      const steady = written === before;
      before = written;
      await sleep(100);
      return steady;
    });
    expect(written).toBeLessThan(PIECES / 2);
    let read = 0;
    for await (const chunk of answer) read += (chunk as Buffer).length;
    expect(read).toBe(PIECES * piece.length);
    source.close();
  });
});

describe('a caller that leaves', () => {
  test('while it waits for room costs nothing and makes room for the next', async () => {
    const gateway = await gatewayWith({ budgets: [budget('daily', '0.0014')] });
    const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
    await until(() => upstream.books().open === 1);
    const leaving = new AbortController();
    const waiting = ask(gateway.url, { signal: leaving.signal }).catch(() => 'left');
    await sleep(150);
    leaving.abort();
    expect(await waiting).toBe('left');
    upstream.release();
    await held;
    await settled(gateway);
    expect(upstream.books().total.requests).toBe(1);
    await until(() => gateway.assembly.openCalls.count === 0);
    expect(gateway.logs.filter((line) => 'refusal' in line)).toEqual([]);
  });
});

describe('the ledger', () => {
  test('that is away makes calls wait, then refuses them, and takes what was spent meanwhile when it is back', async () => {
    const own = await startRedis();
    const gateway = await startGateway({
      redisUrl: own.url,
      handover: handover({ baseURL: upstream.url, budgets: [budget('daily', '25.00')] }),
      settings: { waitSeconds: 10 },
    });
    let back: typeof own | null = null;
    try {
      const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
      await until(() => upstream.books().open === 1);
      await own.stop();
      upstream.release();
      expect((await held).status).toBe(200);
      const refused = await ask(gateway.url);
      expect([refused.status, errorOf(refused).type, refused.headers['x-should-retry']]).toEqual([
        503,
        'api_error',
        'false',
      ]);
      expect((await ask(gateway.url, { method: 'GET', path: '/readyz' })).status).toBe(200);
      const waiting = ask(gateway.url);
      back = await startRedis({ directory: own.directory, port: own.port, password: own.password });
      expect((await waiting).status).toBe(200);
      const counter = await settled(gateway);
      expect(counter.spentNano).toBe(books());
      expect(counter.requests).toBe(2);
    } finally {
      await gateway.stop();
      await back?.stop();
    }
  });

  test('that fails at a question by a mistake shows the caller nothing of it', async () => {
    const gateway = await gatewayWith();
    jest.spyOn(gateway.ledger.gateway, 'state').mockRejectedValueOnce(new Error('a mistake'));
    jest.spyOn(console, 'error').mockImplementationOnce(() => undefined);
    const answer = await ask(gateway.url, { method: 'GET', path: '/tollgate/v1/budgets' });
    expect(answer.status).toBe(500);
    expect(answer.text).not.toMatch(/mistake|\.ts/);
  });

  test('that fails at a call by a mistake leaves nothing of it open', async () => {
    const gateway = await gatewayWith();
    jest.spyOn(gateway.ledger.gateway, 'reserve').mockRejectedValueOnce(new Error('a mistake'));
    await expect(ask(gateway.url)).rejects.toThrow('socket hang up');
    await until(() => gateway.assembly.openCalls.count === 0);
    expect((await ask(gateway.url)).status).toBe(200);
  });

  test('releases what the gateway never sent', async () => {
    const gateway = await gatewayWith();
    const { now } = await gateway.ledger.operator.state();
    const { period } = budget('daily', '25.00');
    const start = now - (now % 86_400_000);
    await gateway.ledger.gateway.reserve({
      id: 'stray',
      workspace: 'payments/checkout',
      version: 1,
      worstNano: 5n,
      gapNano: 0n,
      from: start,
      until: start + 86_400_000,
      checks: [
        {
          budget: 'payments/daily',
          counter: budgetFiguresQuery(budget('daily', '25.00', { period }), now).counter,
          value: null,
          start,
          end: start + 86_400_000,
          mode: 'Enforce',
          bound: { capNano: 100n, roomNano: 95n, gapRoomNano: 0n },
          total: null,
        },
      ],
    });
    expect((await counterOf(gateway)).committedNano).toBe(5n);
    await settled(gateway);
    expect(await counterOf(gateway)).toMatchObject({ spentNano: 0n, certainNano: 0n });
  });
});

test('the bodies of all calls under way have a bound; what is beyond it is told to come again', async () => {
  const gateway = await gatewayWith({}, { bodyMemoryBytes: 24_000 });
  const long = message({ stream: true, messages: [{ role: 'user', content: 'x'.repeat(15_000) }] });
  const held = ask(gateway.url, { body: long, headers: standIn({ holdAfter: 1 }) });
  await until(() => upstream.books().open === 1);
  const path = '/v1/messages/count_tokens';
  for (const refused of [await ask(gateway.url, { body: long }), await ask(gateway.url, { path, body: long })]) {
    expect([refused.status, errorOf(refused).type, refused.headers['retry-after']]).toEqual([503, 'api_error', '1']);
    expect(errorOf(refused).message).toContain('TOLLGATE_BODY_MEMORY');
  }
  expect((await ask(gateway.url)).status).toBe(200);
  upstream.release();
  expect((await held).status).toBe(200);
  await until(async () => (await ask(gateway.url, { body: long })).status === 200);
  await settled(gateway);
  const { text } = await ask(gateway.url, { method: 'GET', path: '/metrics' });
  expect(text).toContain('tollgate_body_memory_bytes 0\n');
});

test('no workspace can hold all of the room for bodies, and nothing is held of what has ended', () => {
  const allowance = new ByteQuota(100);
  const [greedy, second, other] = [allowance.open(), allowance.open(), allowance.open()];
  greedy.belongTo('a/greedy');
  second.belongTo('a/greedy');
  other.belongTo('b/other');
  expect([greedy.grow(50), second.grow(25), second.grow(1), other.grow(25), other.grow(1)]).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
  greedy.close();
  greedy.close();
  expect(allowance.held).toBe(50);
  expect([second.grow(50), other.grow(1)]).toEqual([true, false]);
  second.close();
  other.close();
  expect(allowance.held).toBe(0);
});

test('a body that comes a byte at a time takes no more memory than its bytes', () => {
  const pieces = new ChunkBuffer();
  const bytes = Buffer.from('0123456789'.repeat(10_000));
  for (const byte of bytes) pieces.add(Buffer.of(byte));
  expect(pieces.count).toBeLessThan(1_000);
  expect(pieces.take().equals(bytes)).toBe(true);
  expect(pieces.count).toBe(0);
});

test('is told how much memory and disk bodies may take, as Kubernetes writes sizes', () => {
  const env = { REDIS_URL: 'redis://127.0.0.1:6379', POD_NAME: 'gateway-1' };
  expect(readConfig(env)).toMatchObject({ bodyMemoryBytes: 192 * 2 ** 20, bodyFileBytes: 2 ** 30, lingerMs: 15_000 });
  const told = { TOLLGATE_BODY_MEMORY: '1000', TOLLGATE_BATCH_STORAGE: '4Gi', TOLLGATE_SHUTDOWN_DELAY_SECONDS: '0' };
  expect(readConfig({ ...env, ...told })).toMatchObject({
    bodyMemoryBytes: 1000,
    bodyFileBytes: 4 * 2 ** 30,
    lingerMs: 0,
  });
  expect(() => readConfig({ ...env, TOLLGATE_BATCH_STORAGE: '4G' })).toThrow(
    'TOLLGATE_BATCH_STORAGE is "4G": write a size such as',
  );
  expect(() => readConfig({ ...env, TOLLGATE_SHUTDOWN_DELAY_SECONDS: '1m' })).toThrow(
    'TOLLGATE_SHUTDOWN_DELAY_SECONDS is "1m": write a whole number',
  );
});

test('a gateway that stops finishes its streams, books them and leaves', async () => {
  const gateway = await gatewayWith({}, { installation: 'leaving' });
  const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
  await until(() => upstream.books().open === 1);
  const other = await gatewayWith({}, { installation: 'leaving' });
  const stopped = running.splice(running.indexOf(gateway), 1)[0]!.stop();
  await until(() =>
    ask(gateway.url).then(
      () => false,
      ({ code }: NodeJS.ErrnoException) => code === 'ECONNREFUSED',
    ),
  );
  expect(await other.ledger.operator.gateways()).toHaveLength(2);
  upstream.release();
  expect((await held).text).toContain('message_stop');
  await stopped;
  expect((await settled(other)).spentNano).toBe(books());
  expect(await other.ledger.operator.gateways()).toHaveLength(1);
});

test('a gateway that stops does not wait for requests that never arrive whole', async () => {
  const gateway = await startGateway({ redisUrl: redis.url, handover: handover({ baseURL: upstream.url }) });
  const head =
    'POST /v1/messages HTTP/1.1\r\nhost: tollgate\r\nx-api-key: sk-tollgate-api\r\ncontent-length: 100\r\n\r\n';
  const closed = [head.slice(0, 40), `${head}{"model":`].map((part) => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(part);
    return once(socket, 'close');
  });
  await sleep(100);
  await gateway.stop();
  expect(await Promise.all(closed)).toHaveLength(2);
});

test('a certificate that is renewed is shown to who connects, and cuts nobody; one that is no good changes nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-tls-'));
  await expect(Certificate.open(folder)).rejects.toThrow(`tls.crt and tls.key in ${folder} (TOLLGATE_TLS_FOLDER)`);
  writeCertificate(folder);
  const gateway = await gatewayWith({}, { certificate: await Certificate.open(folder) });
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  const shown = async (): Promise<string> => {
    const socket = connectTls({ port: Number(new URL(gateway.url).port), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { fingerprint256 } = socket.getPeerCertificate();
    socket.destroy();
    return fingerprint256;
  };
  const written = (): string => new X509Certificate(readFileSync(join(folder, 'tls.crt'))).fingerprint256;
  expect(await shown()).toBe(written());
  expect((await ask(gateway.url, { agent })).status).toBe(200);
  const held = ask(gateway.url, { agent, body: streaming, headers: standIn({ holdAfter: 1 }) });
  await until(() => upstream.books().open === 1);
  const first = written();
  writeFileSync(join(folder, 'tls.key'), 'half of a key');
  await until(() => gateway.logs.find(({ msg }) => String(msg).startsWith('the renewed certificate cannot be used')));
  expect(await shown()).toBe(first);
  // As cert-manager leaves a Secret that waits for its certificate.
  writeFileSync(join(folder, 'tls.crt'), '');
  writeFileSync(join(folder, 'tls.key'), '');
  await until(
    () => gateway.logs.filter(({ msg }) => String(msg).startsWith('the renewed certificate cannot be used'))[1],
  );
  expect(await shown()).toBe(first);
  writeCertificate(folder);
  await until(async () => (await shown()) === written());
  expect(written()).not.toBe(first);
  expect((await ask(gateway.url, { agent })).status).toBe(200);
  upstream.release();
  expect((await held).text).toContain('message_stop');
  const { text } = await ask(gateway.url, { agent, method: 'GET', path: '/metrics' });
  const expiry = Number(/^tollgate_certificate_expiry_timestamp_seconds (\d+)$/m.exec(text)![1]);
  expect(expiry * 1000).toBe(new X509Certificate(readFileSync(join(folder, 'tls.crt'))).validToDate.getTime());
  agent.destroy();
});

/** What a scrape of the gateway gives. */
async function metricsOf({ url }: Running): Promise<string> {
  return (await ask(url, { method: 'GET', path: '/metrics' })).text;
}

test('is ready once its policy is loaded and the ledger has answered, and measures with bounded labels', async () => {
  const gateway = await gatewayWith();
  expect((await ask(gateway.url, { method: 'GET', path: '/healthz' })).status).toBe(200);
  expect((await ask(gateway.url, { method: 'GET', path: '/readyz' })).text).toBe('ok\n');
  await ask(gateway.url, { headers: { 'x-tollgate-customer': 'acme' } });
  await ask(gateway.url, { headers: { 'x-api-key': 'sk-tollgate-nobody' } });
  await ask(gateway.url, { headers: standIn({ status: 500 }) });
  await settled(gateway);
  const text = await metricsOf(gateway);
  const labels = 'workspace="payments/checkout",feature="checkout",department="",model="claude-sonnet-5-5"';
  expect(text).toMatch(new RegExp(`^tollgate_cost_usd_total\\{${labels}\\} 0\\.0004`, 'm'));
  expect(text).toMatch(new RegExp(`^tollgate_tokens_total\\{${labels},type="output"\\} \\d+$`, 'm'));
  expect(text).toContain(`tollgate_calls_total{${labels},ending="Answered"} 1`);
  expect(text).toContain(`tollgate_calls_total{${labels},ending="ErrorStatus"} 1`);
  expect(text).toContain('feature="",department="",model="other",ending="Refused"} 1');
  expect(text).toContain('tollgate_refusals_total{workspace="",reason="UnknownKey"} 1');
  expect(text).toContain(
    'tollgate_call_cost_usd_bucket{le="0.001",workspace="payments/checkout",feature="checkout"} 1',
  );
  expect(text).toContain('tollgate_usage_stream_length 2');
  expect(text).toContain('tollgate_open_calls 0');
  expect(text).toMatch(/^gen_ai_client_token_usage_count\{.*gen_ai_token_type="output"\} 1$/m);
  expect(text).not.toMatch(/acme|sk-|user=/);
});

test('counts what a cache saved, and names as many users as the installation wants', async () => {
  const headers = { user: 'x-tollgate-user' };
  const gateway = await gatewayWith({ rest: { headers } }, { settings: { namedUsers: 1 } });
  const usage = { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: 1_000 };
  await ask(gateway.url, { headers: { 'x-tollgate-user': 'ada', ...standIn({ usage }) } });
  await ask(gateway.url, { headers: { 'x-tollgate-user': 'bob' } });
  await settled(gateway);
  const text = await metricsOf(gateway);
  const model = 'model="claude-sonnet-5-5"';
  expect(text).toContain(`department="",user="ada",${model},type="cache_read"} 1000`);
  expect(text).toMatch(new RegExp(`^tollgate_cost_usd_total\\{.*user="other",${model}\\} 0\\.000`, 'm'));
  expect(Number(/^tollgate_cache_saved_usd_total\{.*\} (.*)$/m.exec(text)?.[1])).toBeCloseTo(0.0019, 9);
  expect(text).not.toMatch(/bob/);
});
