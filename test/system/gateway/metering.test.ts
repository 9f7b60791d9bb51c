import { once } from 'node:events';
import { createServer, type IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { Pool } from 'undici';
import { forward } from '../../../gateway/forward/forward.ts';
import { FreeCalls } from '../../../gateway/http/free-calls.ts';
import { countPromptTokens } from '../../../gateway/messages/prompt-count.ts';
import { decoderOf } from '../../../gateway/upstream/content-decoder.ts';
import { Upstreams } from '../../../gateway/upstream/upstreams.ts';
import type { Caller } from '../../../policy/admit/caller.ts';
import { parseSettings } from '../../../policy/config/settings.ts';
import { parseUsd } from '../../../policy/core/money.ts';
import { readAll } from '../../../policy/json/body-reading.ts';
import { readJsonObject } from '../../../policy/json/strict-json.ts';
import { contractBook } from '../../../policy/prices/contract-prices.ts';
import published from '../../../policy/prices/prices.json' with { type: 'json' };
import { promptFields } from '../../../policy/request/prompt-fields.ts';
import { upstreamConnector } from '../../../proxy/connector.ts';
import { NO_PROXY } from '../../../proxy/proxy-environment.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import type { Received } from '../../fakes/upstream/upstream.ts';
import { until } from '../../support/until.ts';
import { settled, standIn, useGateways } from './fixture.ts';
import { ask, errorOf, message, type Running } from './harness.ts';
import { budget, handover, resolved } from './policies.ts';

const env = useGateways();
const { books, gatewayWith, received } = env;

const daily = budget('daily', '25.00');
const bodies = (rest: Record<string, unknown> = {}): string[] => [message(rest), message({ ...rest, stream: true })];

/** Makes a call in both forms and expects what is booked to be what the upstream charged, to the nano-dollar. */
async function expectExact(gateway: Running, behaviour: Behaviour, rest: Record<string, unknown> = {}): Promise<void> {
  for (const body of bodies(rest)) {
    expect((await ask(gateway.url, { body, headers: standIn(behaviour) })).status).toBe(200);
    expect((await settled(gateway)).spentNano).toBe(books());
  }
}

describe('what the upstream charges is what is settled', () => {
  const sampling = {
    input_tokens: 1000,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 500,
    output_tokens: 40,
  };

  test.each<[string, Behaviour, Record<string, unknown>]>([
    ['another model that served', { model: 'claude-opus-5-5' }, {}],
    ['a model that nobody knows', { model: 'claude-opus-9' }, {}],
    [
      'a summary and an advisor',
      {
        usage: {
          ...sampling,
          iterations: [
            { ...sampling, type: 'compaction', input_tokens: 9000 },
            { ...sampling, type: 'message', model: null },
            { ...sampling, type: 'advisor_message', model: 'claude-fable-5-2' },
          ],
        },
      },
      { compaction: { type: 'summarize' } },
    ],
    [
      'a fallback, and not the attempt that declined',
      {
        model: 'claude-haiku-5-5',
        usage: {
          ...sampling,
          iterations: [
            { ...sampling, type: 'message', model: 'claude-sonnet-5-5', output_tokens: 0 },
            { ...sampling, type: 'fallback_message', model: 'claude-haiku-5-5' },
          ],
        },
      },
      { fallbacks: [{ model: 'claude-haiku-5-5' }] },
    ],
    [
      'searches and all that was read for them',
      { usage: { input_tokens: 1_500_000, server_tool_use: { web_search_requests: 2, web_fetch_requests: 1 } } },
      { tools: [{ type: 'web_search_20250305', name: 'web_search', max_uses: 2 }] },
    ],
    ['a refusal in the middle', { refuse: 'Middle' }, {}],
    ['fast mode', { usage: { speed: 'fast' } }, { model: 'claude-opus-5-5', speed: 'fast' }],
    ['a long prompt', { usage: { input_tokens: 100_001 } }, { model: 'claude-haiku-5-5' }],
  ])('%s', async (_name, behaviour, rest) => {
    await expectExact(await gatewayWith(), behaviour, rest);
  });

  test('a refusal before any content costs nothing', async () => {
    const gateway = await gatewayWith();
    await expectExact(gateway, { refuse: 'Before' });
    expect(await settled(gateway)).toMatchObject({ spentNano: 0n, requests: 2 });
    expect(env.upstream.books().total.calls).toBe(2);
  });

  test.each(['gzip', 'deflate', 'br', 'zstd'] as const)(
    'although it is compressed by %s, which the caller gets as it came',
    async (encoding) => {
      const gateway = await gatewayWith();
      await expectExact(gateway, { encoding, paceMs: 2 });
      const long = JSON.stringify({ encoding, text: 'x'.repeat(200_000) } satisfies Behaviour);
      const body = message({ metadata: { user_id: `stand-in:${long}` } });
      const answer = await ask(gateway.url, { body });
      expect(answer.headers['content-encoding']).toBe(encoding);
      expect(answer.headers['x-tollgate-cost-usd']).toBeDefined();
      expect((await settled(gateway)).spentNano).toBe(books());
    },
  );

  test('a compressed stream that breaks is booked as far as it can be read', async () => {
    const gateway = await gatewayWith();
    const headers = standIn({ encoding: 'gzip', breakAt: 'Middle', chunks: 10, paceMs: 5 });
    expect((await ask(gateway.url, { body: message({ stream: true }), headers })).torn).toBe(true);
    const { spentNano, certainNano } = await settled(gateway);
    expect(spentNano).toBeGreaterThanOrEqual(books());
    expect(certainNano).toBeGreaterThan(spentNano);
  });
});

test('prices that change while a call runs apply to the next one', async () => {
  const gateway = await gatewayWith();
  const first = ask(gateway.url, { body: message({ stream: true }), headers: standIn({ holdAfter: 1 }) });
  await until(() => env.upstream.books().open === 1);
  const [half] = parseSettings({ pricing: [{ namespaces: ['*'], multiplier: '0.5' }] }).pricing;
  const book = contractBook(JSON.stringify(published), half!) as { value: string };
  const next = handover({ baseURL: env.upstream.url, budgets: [daily], version: 2 });
  gateway.policy.enforce([resolved(next, book.value)]);
  env.upstream.release();
  await first;
  const before = await settled(gateway);
  expect(before.spentNano).toBe(books());
  expect((await ask(gateway.url)).status).toBe(200);
  const charged = books() - before.spentNano;
  expect((await settled(gateway)).spentNano - before.spentNano).toBe((charged + 1n) / 2n);
});

describe('what no usage reports is settled as an estimate', () => {
  const estimates = (gateway: Running): unknown[] =>
    gateway.logs.filter((line) => 'estimated' in line).map((line) => line['estimated']);

  test('an hour of a container for code that may have run', async () => {
    const tolerant = budget('daily', '25.00', { toleranceNano: parseUsd('5.00') });
    const gateway = await gatewayWith({
      budgets: [tolerant],
      rest: { guards: { unboundedRequestNano: parseUsd('4.00') } },
    });
    const tools = [{ type: 'code_execution_20250825', name: 'code_execution' }];
    const answer = await ask(gateway.url, { body: message({ tools }) });
    expect(answer.status).toBe(200);
    expect((await settled(gateway, tolerant)).spentNano).toBe(books() + parseUsd('0.05'));
    expect(estimates(gateway)).toEqual([true]);
  });

  test('a credit that was redeemed, at list price', async () => {
    const gateway = await gatewayWith();
    await expectExact(
      gateway,
      { usage: { fallback_credit: { status: { type: 'redeemed' } } } },
      {
        fallback_credit_token: 'token',
      },
    );
    expect(estimates(gateway)).toEqual([true, true]);
  });
});

describe('what cannot be bounded', () => {
  const tools = [{ type: 'web_search_20250305', name: 'web_search' }];

  test('is refused with what to do about it, before anything goes upstream', async () => {
    const gateway = await gatewayWith();
    const answer = await ask(gateway.url, { body: message({ tools }) });
    expect([answer.status, errorOf(answer).type]).toEqual([400, 'policy_blocked']);
    expect(errorOf(answer).message).toContain('tools[0].max_uses');
    expect(received).toEqual([]);
  });

  test('is sent with the uses that the workspace allows', async () => {
    const gateway = await gatewayWith({ rest: { guards: { maxToolUses: 2 } } });
    const body = message({ tools: [...tools, { type: 'web_fetch_20250910', name: 'web_fetch', max_uses: 9 }] });
    expect((await ask(gateway.url, { body })).status).toBe(200);
    expect(received[0]!.body.toString()).toBe(
      body.replace('{"type":"web_search', '{"max_uses":2,"type":"web_search').replace('"max_uses":9', '"max_uses":2'),
    );
    expect((await settled(gateway)).spentNano).toBe(books());
  });

  test('a picture is set aside by its patches and not by its bytes', async () => {
    const pennies = budget('daily', '0.01');
    const gateway = await gatewayWith({ budgets: [pennies] });
    const header = Buffer.from('89504e470d0a1a0a0000000d4948445200000280000001e0', 'hex');
    const data = header.toString('base64').padEnd(400_000, 'A');
    const content = [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data } }];
    const answer = await ask(gateway.url, { body: message({ messages: [{ role: 'user', content }] }) });
    expect(answer.status).toBe(200);
    expect((await settled(gateway, pennies)).spentNano).toBe(books());
    expect(books()).toBeGreaterThan(414n * 2_000n);
  });
});

describe('a long prompt', () => {
  const content = 'word '.repeat(120_000);
  const long = (rest: object = {}): string =>
    message({ model: 'claude-opus-5-5', max_tokens: 10, messages: [{ role: 'user', content }], ...rest });
  const counts = (): Received[] => received.filter(({ url }) => url.startsWith('/v1/messages/count_tokens'));

  /** Calls while another one like it is held, which its bytes bound at $2.40 and its tokens at $0.66. */
  async function second(one: ReturnType<typeof budget>, rest: object = {}, behaviour: Behaviour = {}) {
    const gateway = await gatewayWith({ budgets: [one] });
    const first = ask(gateway.url, { body: long({ stream: true }), headers: standIn({ holdAfter: 1 }) });
    await until(() => env.upstream.books().open === 1);
    const headers = standIn(behaviour);
    const asked = ask(gateway.url, { path: '/v1/messages?beta=true', body: long(rest), headers });
    return { gateway, first, asked };
  }

  test('is counted once if only its bound by bytes does not fit and there is a tolerance', async () => {
    const one = budget('tight', '2.00', { toleranceNano: parseUsd('1.80') });
    const { gateway, first, asked } = await second(one, { metadata: { user_id: 'u' }, system: 'Be short.' });
    expect((await asked).status).toBe(200);
    expect(env.upstream.books().open).toBe(1);
    expect(counts().map(({ url }) => url)).toEqual(['/v1/messages/count_tokens?beta=true']);
    expect(Object.keys(JSON.parse(counts()[0]!.body.toString()) as object)).toEqual(['model', 'messages', 'system']);
    expect(counts()[0]!.headers['x-api-key']).toBe('sk-ant-upstream');
    env.upstream.release();
    expect((await first).status).toBe(200);
    expect((await settled(gateway, one)).spentNano).toBe(books());
    const expected = gateway.logs.map((line) => line['expected_usd']).filter((usd) => usd !== undefined);
    expect(expected).toEqual([]);
    await ask(gateway.url, { body: long() });
    await until(() => gateway.logs.some((line) => 'expected_usd' in line));
    expect(gateway.logs.at(-1)!['expected_usd']).toBeCloseTo(0.6, 2);
  });

  test.each([
    ['has no tolerance', budget('strict', '3.10'), {}],
    ['has less than the count could be wrong by', budget('tight', '2.00', { toleranceNano: parseUsd('1.40') }), {}],
    ['cannot hold it by its tokens either', budget('tight', '1.00', { toleranceNano: parseUsd('1.80') }), {}],
  ])('waits where the budget %s', async (_name, one, rest) => {
    const { gateway, first, asked } = await second(one, rest);
    const counted = one.toleranceNano === 0n ? 0 : 1;
    await until(() => counts().length === counted);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(env.upstream.books().total.calls).toBe(0);
    env.upstream.release();
    expect([(await first).status, (await asked).status]).toEqual([200, 200]);
    expect(counts()).toHaveLength(counted);
    expect((await settled(gateway, one)).spentNano).toBe(books());
  });

  test.each([
    ['counted by the upstream', budget('tight', '2.00', { toleranceNano: parseUsd('4.00') }), 1],
    ['served one after the other', budget('strict', '5.00'), 0],
  ])('of a PDF, which fills the context window, is %s', async (_name, one, counted) => {
    const source = { type: 'base64', media_type: 'application/pdf', data: btoa('%PDF-1.4 (Hello) Tj') };
    const messages = [{ role: 'user', content: [{ type: 'document', source }] }];
    const gateway = await gatewayWith({ budgets: [one] });
    const held = ask(gateway.url, { body: long({ messages, stream: true }), headers: standIn({ holdAfter: 1 }) });
    await until(() => env.upstream.books().open === 1);
    const asked = ask(gateway.url, { body: long({ messages }) });
    const wait = new Promise((resolve) => setTimeout(resolve, 300));
    await (counted === 0 ? wait : asked);
    expect(env.upstream.books()).toMatchObject({ open: 1, total: { calls: counted } });
    expect(counts()).toHaveLength(counted);
    env.upstream.release();
    expect([(await held).status, (await asked).status]).toEqual([200, 200]);
    expect((await settled(gateway, one)).spentNano).toBe(books());
  });

  test('that was counted is still presumed at its bound by bytes if its answer breaks off', async () => {
    const one = budget('tight', '2.00', { toleranceNano: parseUsd('1.80') });
    const { gateway, first, asked } = await second(one, { stream: true }, { breakAt: 'Middle' });
    expect((await asked).torn).toBe(true);
    expect(counts()).toHaveLength(1);
    env.upstream.release();
    await first;
    const { spentNano, certainNano } = await settled(gateway, one);
    expect(spentNano).toBeGreaterThanOrEqual(books());
    expect(certainNano).toBeGreaterThan(parseUsd('2.40') + parseUsd('0.60'));
  });

  test('is not counted for a budget that is spent, and an upstream that does not say changes nothing', async () => {
    const one = budget('tight', '0.50', { toleranceNano: parseUsd('2.40') });
    const gateway = await gatewayWith({ budgets: [one] });
    expect((await ask(gateway.url, { body: long() })).status).toBe(200);
    await settled(gateway, one);
    expect(errorOf(await ask(gateway.url, { body: long() })).type).toBe('budget_exceeded');
    expect(counts()).toEqual([]);
    const deaf = await gatewayWith({
      baseURL: 'http://127.0.0.1:1',
      budgets: [budget('small', '1.00', { toleranceNano: parseUsd('1.00') })],
    });
    expect(errorOf(await ask(deaf.url, { body: long() })).message).toContain('cannot hold this call');
  });
});

test('an unknown encoding is not metered, and bytes that do not match theirs end the metering', async () => {
  const heard: string[] = [];
  const hear = (bytes: Buffer): void => void heard.push(bytes.toString());
  for (const encoding of ['exotic', 'gzip, br', 'br', 'GZIP']) {
    const decoder = decoderOf(encoding, hear);
    decoder.write(Buffer.from('no such thing'));
    await new Promise<void>((resolve) => decoder.end(resolve));
    decoder.write(Buffer.from('more'));
  }
  expect(heard).toEqual([]);
});

test.each(['identity', 'gzip'])(
  'an answer (%s) that cannot be read breaks off, and its call ends',
  async (encoding) => {
    const body = encoding === 'gzip' ? gzipSync('{}') : Buffer.from('{}');
    const odd = createServer((_req, res) => res.setHeader('content-encoding', encoding).end(body)).listen(
      0,
      '127.0.0.1',
    );
    await once(odd, 'listening');
    const pool = new Pool(`http://127.0.0.1:${(odd.address() as AddressInfo).port}`);
    const res = new ServerResponse({ method: 'POST' } as IncomingMessage);
    const answerHeaders = (): never => {
      throw new RangeError('Cannot create a string longer than 0x1fffffe8 characters');
    };
    const call = { path: '/', headers: [], body: [Buffer.from('{}')], onAbort: 'Cancel' as const, stream: false };
    const hooks = {
      elapsed: () => 0,
      headersDown: () => [],
      onAnswer: () => undefined,
      streamHeaders: () => [],
      answerHeaders,
    };
    expect(await forward({ ...call, ...hooks, upstream: pool, res })).toMatchObject({
      isWhole: false,
      metered: { hasContent: true, usage: null },
    });
    expect(res.destroyed).toBe(true);
    await pool.close();
    odd.close();
  },
);

test('a negative count of tokens is no count', async () => {
  const counts = [-1, 1.5, 7];
  const odd = createServer((_req, res) => res.end(`{"input_tokens":${counts.shift()}}`)).listen(0, '127.0.0.1');
  await once(odd, 'listening');
  const { port } = odd.address() as AddressInfo;
  const workspace = resolved(handover({ baseURL: `http://127.0.0.1:${port}`, budgets: [] })).workspace;
  const caller = { workspace } as Caller;
  const upstreams = new Upstreams(upstreamConnector(NO_PROXY));
  const req = { rawHeaders: [], headers: {} } as unknown as IncomingMessage;
  const route = { endpoint: 'Messages', path: '/v1/messages', query: '' } as const;
  const body = Buffer.from(message());
  const prompt = promptFields(readAll(readJsonObject(body, new Map())).spans);
  const call = { req, route, body, prompt, caller, keyHash: 'hash' };
  const count = () => countPromptTokens(call, upstreams.of(workspace), new FreeCalls());
  expect([await count(), await count(), await count()]).toEqual([null, null, 7]);
  await upstreams.close();
  odd.close();
});
