import { describe, expect, test } from '@jest/globals';
import { scrape } from '../../../hack/run/scrape.ts';
import { readEntry } from '../../../log/call-row.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { settled, standIn, streaming, useGateways } from './fixture.ts';
import { ask, errorOf, message, type Running } from './harness.ts';
import { budget } from './policies.ts';

const env = useGateways();
const { books, gatewayWith, received } = env;

describe('a call', () => {
  test('is answered, metered and settled to the nano-dollar', async () => {
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

  test('streams as it comes and is settled from its last usage', async () => {
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

  test('goes upstream byte for byte without the caller’s credential, and comes down without the upstream’s', async () => {
    const gateway = await gatewayWith({ rest: { headers: { customer: 'x-shop-customer' } } });
    const body = `{ "max_tokens":100,  "model":"claude-sonnet-5-5","messages":[{"role":"user","content":"h\\u00e9, ü"}]}`;
    await ask(gateway.url, {
      body,
      headers: {
        authorization: 'Bearer sk-tollgate-api',
        'accept-encoding': 'gzip, br',
        'anthropic-beta': 'interleaved-thinking-2025-05-14,context-1m-2025-08-07',
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
    expect(`http://${host}`).toBe(env.upstream.url);
    expect(connection).toBe('keep-alive');
    expect(headers).toEqual({
      'x-api-key': 'sk-ant-upstream',
      'accept-encoding': 'identity',
      'anthropic-beta': 'interleaved-thinking-2025-05-14,context-1m-2025-08-07',
      'anthropic-version': '2023-06-01',
      'content-length': String(Buffer.byteLength(body)),
      'content-type': 'application/json',
      'user-agent': 'claude-cli/2.1.330',
    });
  });

  test('is changed only if a guard says so', async () => {
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

  test('records the session of Claude Code from its body, or rather from its header', async () => {
    const gateway = await gatewayWith({}, { installation: 'sessions' });
    const body = message({ metadata: { user_id: '{"device_id":"d","account_uuid":"","session_id":"in-the-body"}' } });
    await ask(gateway.url, { body });
    await settled(gateway);
    await ask(gateway.url, { body, headers: { 'x-claude-code-session-id': 'in-the-header' } });
    await settled(gateway);
    const sessions = (await gateway.ledger.operator.readUsage(10)).map(({ record }) => record['session']);
    expect(sessions).toEqual(['in-the-body', 'in-the-header']);
  });

  test('that costs nothing (count_tokens, models) is served from a spent budget, for allowed models only', async () => {
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
    const second = await ask(gateway.url, { method: 'GET', path: `/v1/models?limit=1&after_id=${ids[0]}` });
    const page = { data: [{ id: ids[1] }], has_more: ids.length > 2, first_id: ids[1], last_id: ids[1] };
    expect(JSON.parse(second.text)).toMatchObject(page);
    const refused = await ask(gateway.url, { method: 'GET', path: '/v1/models?limit=0' });
    expect([refused.status, errorOf(refused).message]).toEqual([400, 'limit: 1 to 1000']);
    expect((await ask(gateway.url, { method: 'GET', path: '/v1/models/claude-sonnet-5-5' })).status).toBe(200);
    const hidden = await ask(gateway.url, { method: 'GET', path: '/v1/models/claude-opus-5-5' });
    expect([hidden.status, errorOf(hidden).message]).toEqual([404, expect.stringContaining('is not allowed in')]);
    expect(env.upstream.books().total.calls).toBe(0);
  });

  test('HEAD is answered without a credential', async () => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { method: 'HEAD', path: '/', headers: { 'x-api-key': '' } });
    expect([answer.status, answer.text]).toEqual([200, '']);
  });
});

/** What a scrape of the gateway gives. */
async function metricsOf({ url }: Running): Promise<string> {
  return scrape(url);
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

test('counts what a cache saved, and names at most as many users as the settings allow', async () => {
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
