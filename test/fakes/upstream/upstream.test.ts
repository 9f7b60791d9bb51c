import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, deflateSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import type { Behaviour } from './behaviour.ts';
import { isServed } from './models.ts';
import { charge } from './prices.ts';
import { type Upstream, startUpstream } from './upstream.ts';

const KEY = 'sk-ant-books';
const call = { model: 'claude-sonnet-5-5', max_tokens: 100, messages: [{ role: 'user', content: 'x'.repeat(317) }] };

let upstream: Upstream;
beforeAll(async () => (upstream = await startUpstream()));
afterAll(() => upstream.close());
beforeEach(() => {
  upstream.clearBooks();
  upstream.behave({});
});

function post(body: object, behaviour: Behaviour = {}) {
  return request(`${upstream.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': KEY, 'anthropic-version': '2023-06-01', 'x-stainless-stand-in': JSON.stringify(behaviour) },
    body: JSON.stringify(body),
  });
}

async function closed(): Promise<void> {
  for (let i = 0; i < 100 && upstream.books().open > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('a process of its own serves no model that is retired, a test serves any', async () => {
  const prices = readFileSync(join(import.meta.dirname, '../../../policy/prices/prices.json'), 'utf8');
  const retired = Object.keys((JSON.parse(prices) as { retired: object }).retired);
  expect([...retired, 'claude-opus-4-1-20250805'].filter(isServed)).toEqual([]);
  expect(['claude-opus-5-5', 'claude-haiku-4-5-20251001', 'claude-sonnet-4-6'].filter((id) => !isServed(id))).toEqual(
    [],
  );
  const strict = await startUpstream({ serves: isServed });
  const ask = (url: string) =>
    request(`${url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': KEY, 'anthropic-version': '2023-06-01' },
      body: JSON.stringify({ ...call, model: 'claude-opus-4-1' }),
    });
  const refused = await ask(strict.url);
  expect([refused.statusCode, await refused.body.json()]).toMatchObject([
    404,
    { error: { type: 'not_found_error', message: 'model: claude-opus-4-1' } },
  ]);
  await strict.close();
  const served = await ask(upstream.url);
  await served.body.dump();
  expect(served.statusCode).toBe(200);
});

test('charges by hand-computed prices', () => {
  const usage = {
    input_tokens: 1_000,
    cache_creation_input_tokens: 3_000,
    cache_creation: { ephemeral_5m_input_tokens: 1_000, ephemeral_1h_input_tokens: 2_000 },
    cache_read_input_tokens: 10_000,
    output_tokens: 1_000,
  };
  expect(charge('claude-sonnet-5-5', usage)).toBe(23_500_000n); // 0.002 + 0.0025 + 0.008 + 0.001 + 0.010
  expect(charge('claude-opus-5-5', { ...usage, inference_geo: 'us' })).toBe(51_700_000n); // 0.047 x 1.1
  expect(charge('claude-opus-5-5', { ...usage, speed: 'fast' })).toBe(94_000_000n);
  expect(charge('claude-haiku-5-5', { ...usage, input_tokens: 87_001 })).toBe(49_125_500n); // one token over 100,000
  const iterations = [
    { ...usage, type: 'compaction', model: 'claude-sonnet-5-5' },
    { ...usage, type: 'message', model: 'claude-fable-5-2', output_tokens: 0 },
    { ...usage, type: 'fallback_message', model: 'claude-opus-5-5' },
  ];
  expect(charge('claude-opus-5-5', { ...usage, iterations })).toBe(23_500_000n + 47_000_000n);
  expect(charge('claude-opus-5-5', { ...usage, service_tier: 'batch' })).toBe(23_500_000n);
  expect(charge('claude-haiku-5-5', { ...usage, server_tool_use: { web_search_requests: 2 } })).toBe(21_225_000n);
});

describe('the answer', () => {
  test('as JSON, booked to the nano-dollar', async () => {
    const response = await post(call);
    const body = Buffer.byteLength(JSON.stringify(call));
    expect(response.headers['request-id']).toMatch(/^req_/);
    expect(await response.body.json()).toMatchObject({
      type: 'message',
      model: call.model,
      stop_reason: 'end_turn',
      usage: { input_tokens: Math.ceil(body / 4), output_tokens: 40 },
    });
    const nanoUsd = BigInt(Math.ceil(body / 4)) * 2_000n + 400_000n;
    expect(upstream.books()).toMatchObject({ total: { calls: 1, requests: 1, nanoUsd: String(nanoUsd) }, open: 0 });
    expect(upstream.books().keys[KEY]).toEqual(upstream.books().total);
  });

  test('with its bill kept by name, if asked for', async () => {
    for (const behaviour of [{ mark: 'first' }, {}, { mark: 'second', usage: { output_tokens: 7 } }]) {
      await (await post(call, behaviour)).body.dump();
    }
    const bills = async (after: number) => (await request(`${upstream.url}/bills?after=${after}`)).body.json();
    const input = BigInt(Math.ceil(Buffer.byteLength(JSON.stringify(call)) / 4)) * 2_000n;
    const first = { number: 1, mark: 'first', apiKey: KEY, model: call.model, nanoUsd: String(input + 400_000n) };
    const second = { ...first, number: 2, mark: 'second', nanoUsd: String(input + 70_000n) };
    expect(await bills(0)).toEqual([expect.objectContaining(first), expect.objectContaining(second)]);
    expect(await bills(1)).toEqual([expect.objectContaining(second)]);
  });

  test('as a stream, with the events in the true order', async () => {
    const response = await post({ ...call, stream: true, thinking: { type: 'adaptive' } }, { chunks: 2 });
    const text = await response.body.text();
    expect(text.match(/^event: .*/gm)?.map((line) => line.slice(7))).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      ...Array<string>(3).fill('content_block_delta'), // two of thinking, its signature
      'content_block_stop',
      'content_block_start',
      ...Array<string>(2).fill('content_block_delta'),
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(upstream.books().total).toMatchObject({ calls: 1, aborted: 0, outputTokens: 40 });
  });

  test('with the usage asked for, also through metadata and for all calls', async () => {
    const usage = { input_tokens: 7, cache_read_input_tokens: 5, output_tokens: 3 };
    await (await post({ ...call, metadata: { user_id: `stand-in:${JSON.stringify({ usage })}` } })).body.dump();
    upstream.behave({ usage });
    const plain = await request(`${upstream.url}/v1/messages`, {
      method: 'POST',
      headers: { 'x-api-key': KEY, 'anthropic-version': '2023-06-01' },
      body: JSON.stringify(call),
    });
    expect(await plain.body.json()).toMatchObject({ usage, content: [{ text: 'tolltolltoll' }] });
    expect(upstream.books().total).toMatchObject({ calls: 1 + 1, cacheReadTokens: 5 });
  });

  test('absurd usage is reported and not billed, missing usage is billed all the same', async () => {
    const absurd = await post(call, { usage: { input_tokens: -5, output_tokens: 1e18 } });
    expect(await absurd.body.json()).toMatchObject({ usage: { input_tokens: -5, output_tokens: 1e18 } });
    const missing = await post(call, { usage: null });
    expect(await missing.body.json()).not.toHaveProperty('usage');
    expect(upstream.books().total).toMatchObject({ calls: 2, outputTokens: 80 });
  });

  test.each([
    ['gzip', gunzipSync],
    ['deflate', inflateSync],
    ['br', brotliDecompressSync],
    ['zstd', zstdDecompressSync],
  ] as const)('compressed by %s, whole or as a stream', async (encoding, decompress) => {
    for (const stream of [false, true]) {
      const response = await post({ ...call, stream }, { encoding, paceMs: 1 });
      expect(response.headers['content-encoding']).toBe(encoding);
      const text = decompress(await response.body.bytes()).toString();
      expect(text).toContain(stream ? 'event: message_stop' : '"type":"message"');
    }
  });

  test('a refusal, which costs nothing if it comes before any content', async () => {
    const before = await post(call, { refuse: 'Before' });
    expect(await before.body.json()).toMatchObject({
      content: [],
      stop_reason: 'refusal',
      usage: { output_tokens: 40 },
    });
    expect(upstream.books().total.nanoUsd).toBe('0');
    const middle = await post({ ...call, stream: true }, { refuse: 'Middle' });
    expect(await middle.body.text()).toContain('"stop_reason":"refusal"');
    expect(upstream.books().total.outputTokens).toBe(40);
  });

  test('counts a picture by its patches', async () => {
    const data = Buffer.from('89504e470d0a1a0a0000000d4948445200000280000001e0', 'hex').toString('base64');
    const source = { type: 'base64', media_type: 'image/png', data: data.padEnd(4000, 'A') };
    const content = [{ type: 'image', source }];
    const body = { ...call, messages: [{ role: 'user', content }] };
    const text = Buffer.byteLength(JSON.stringify(body)) - 4000;
    expect(await (await post(body)).body.json()).toMatchObject({
      usage: { input_tokens: Math.ceil(text / 4) + 23 * 18 },
    });
  });

  test('reads the packed text of a PDF, and the pages of a packed tree', async () => {
    const stream = (text: string) => `<<>> stream\n${deflateSync(text).toString('latin1')}endstream\n`;
    const pages = '<</Type/Page>>'.repeat(3);
    const source = { type: 'base64', media_type: 'application/pdf', data: '' };
    const tokens = async (file: string) => {
      const data = Buffer.from(file, 'latin1').toString('base64');
      const content = [{ type: 'document', source: { ...source, data } }];
      const body = { ...call, messages: [{ role: 'user', content }] };
      const { usage } = (await (await post(body)).body.json()) as { usage: { input_tokens: number } };
      return usage.input_tokens - Math.ceil((Buffer.byteLength(JSON.stringify(body)) - data.length) / 4);
    };
    expect(await tokens('%PDF-1.7 <</Type/Page>>')).toBe(3_500);
    expect(await tokens(`%PDF-1.7 <</Type/Page>> ${stream(`(${'x'.repeat(40_000)}) Tj`)}`)).toBe(11_500);
    expect(await tokens(`%PDF-1.7 <</Type/Page>> ${stream(pages)}`)).toBe(4 * 3_500);
  });

  test('uses the whole budget of interleaved thinking, and none that is not interleaved', async () => {
    const body = JSON.stringify({ ...call, max_tokens: 1, thinking: { type: 'enabled', budget_tokens: 5_000 } });
    for (const [beta, output_tokens] of [
      ['interleaved-thinking-2025-05-14', 5_000],
      ['other', 1],
    ] as const) {
      const headers = { 'x-api-key': KEY, 'anthropic-version': '2023-06-01', 'anthropic-beta': beta };
      const answer = await request(`${upstream.url}/v1/messages`, { method: 'POST', headers, body });
      expect(await answer.body.json()).toMatchObject({ usage: { output_tokens } });
    }
  });
});

describe('failures', () => {
  test.each([
    [{ status: 529 }, 529, 'overloaded_error'],
    [{ status: 500 }, 500, 'api_error'],
    [{ status: 429, retryAfter: 3 }, 429, 'rate_limit_error'],
    [{ status: 402, error: { type: 'billing_error', message: 'pay' } }, 402, 'billing_error'],
  ])('%j is an error in Anthropic’s form and costs nothing', async (behaviour, status, type) => {
    const response = await post({ ...call, stream: true }, behaviour);
    expect(response.statusCode).toBe(status);
    expect(await response.body.json()).toMatchObject({ type: 'error', error: { type } });
    expect(upstream.books().total).toMatchObject({ requests: 1, calls: 0, nanoUsd: '0' });
  });

  test.each([
    [{}, 401, 'authentication_error'],
    [{ 'x-api-key': 'sk-tollgate-1' }, 401, 'authentication_error'],
    [{ 'x-api-key': KEY }, 400, 'invalid_request_error'],
  ])('headers %j are refused', async (headers, status, type) => {
    const body = JSON.stringify(call);
    const response = await request(`${upstream.url}/v1/messages`, { method: 'POST', headers, body });
    expect(response.statusCode).toBe(status);
    expect(await response.body.json()).toMatchObject({ error: { type } });
  });

  test('a reset before the head costs nothing; in the middle it costs what was sent, or all of it', async () => {
    await expect(post(call, { breakAt: 'Head' })).rejects.toThrow('ECONNRESET');
    expect(upstream.books().total).toMatchObject({ calls: 0, aborted: 1, requests: 1 });
    for (const [abortBilling, outputTokens] of [
      ['Sent', 20],
      ['Full', 60],
    ] as const) {
      const response = await post({ ...call, stream: true }, { breakAt: 'Middle', abortBilling });
      await expect(response.body.text()).rejects.toThrow(/ECONNRESET|terminated|aborted|other side closed/);
      expect(upstream.books().total).toMatchObject({ outputTokens });
    }
  });

  test('an error event ends the stream', async () => {
    const response = await post({ ...call, stream: true }, { breakAt: 'Event' });
    expect(await response.body.text()).toContain(
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"',
    );
    expect(upstream.books().total).toMatchObject({ calls: 1, aborted: 1 });
  });
});

describe('a stream that is held', () => {
  test('continues when released', async () => {
    const response = await post({ ...call, stream: true }, { holdAfter: 2 });
    expect(upstream.books()).toMatchObject({ open: 1, total: { calls: 0 } });
    setTimeout(() => upstream.release(), 20);
    expect(await response.body.text()).toContain('message_stop');
    expect(upstream.books()).toMatchObject({ open: 0, total: { calls: 1, aborted: 0, outputTokens: 40 } });
  });

  test.each([
    ['Sent', 20],
    ['Full', 40],
  ] as const)(
    'costs, when the client leaves and it bills %s, %i tokens of output',
    async (abortBilling, outputTokens) => {
      const response = await post({ ...call, stream: true }, { holdAfter: 2, abortBilling });
      response.body.on('error', () => undefined).destroy();
      await closed();
      expect(upstream.books()).toMatchObject({ open: 0, total: { calls: 1, aborted: 1, outputTokens } });
    },
  );
});

describe('batches', () => {
  const batches = (path = '', method: 'GET' | 'POST' | 'DELETE' = 'GET', body?: object, key = KEY) =>
    request(`${upstream.url}/v1/messages/batches${path}`, {
      method,
      headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const asks = (behaviour: Behaviour) => ({ ...call, metadata: { user_id: `stand-in:${JSON.stringify(behaviour)}` } });
  const create = async (...behaviours: Behaviour[]) => {
    const requests = behaviours.map((behaviour, index) => ({ custom_id: `r-${index}`, params: asks(behaviour) }));
    return (await (await batches('', 'POST', { requests })).body.json()) as { id: string };
  };

  test('cost half price for what succeeded once they have ended, and have a result line for each request', async () => {
    upstream.behave({ batchMs: null });
    const usage = { input_tokens: 7, output_tokens: 3 };
    const { id } = await create({ usage }, { outcome: 'errored' }, { usage: { ...usage, input_tokens: 8 } });
    expect(await (await batches(`/${id}`)).body.json()).toMatchObject({
      processing_status: 'in_progress',
      request_counts: { processing: 3, succeeded: 0 },
      results_url: null,
    });
    expect((await batches(`/${id}/results`)).statusCode).toBe(404);
    expect((await batches(`/${id}`, 'DELETE')).statusCode).toBe(400);
    expect(upstream.books().total.nanoUsd).toBe('0');
    upstream.release();
    expect(upstream.books().total).toMatchObject({ calls: 2, nanoUsd: String(22_000n + 23_000n) });
    const ended = (await (await batches(`/${id}`)).body.json()) as { results_url: string };
    expect(ended).toMatchObject({ processing_status: 'ended', request_counts: { succeeded: 2, errored: 1 } });
    const lines = (await (await batches(`/${id}/results`)).body.text()).trim().split('\n');
    expect(ended.results_url).toBe(`${upstream.url}/v1/messages/batches/${id}/results`);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { custom_id: 'r-0', result: { type: 'succeeded', message: { usage: { ...usage, service_tier: 'batch' } } } },
      { custom_id: 'r-1', result: { type: 'errored', error: { error: { type: 'invalid_request_error' } } } },
      { custom_id: 'r-2', result: { type: 'succeeded' } },
    ]);
  });

  test('are listed in pages, canceled and deleted, each for its key alone', async () => {
    upstream.behave({ batchMs: null });
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.unshift((await create({}, {})).id);
    const page = async (query: string, key = KEY) => {
      const answer = await batches(query, 'GET', undefined, key);
      const { data, has_more: more } = (await answer.body.json()) as { data: { id: string }[]; has_more: boolean };
      return [data.map(({ id }) => ids.indexOf(id)), more];
    };
    expect(await page('?limit=2')).toEqual([[0, 1], true]);
    expect(await page(`?limit=2&after_id=${ids[1]}`)).toEqual([[2, -1], false]);
    expect(await page(`?limit=1&before_id=${ids[2]}`)).toEqual([[1], true]);
    expect(await page(`?limit=5&before_id=${ids[1]}`)).toEqual([[0], false]);
    expect(await page('', 'sk-ant-other')).toEqual([[], false]);
    const canceled = await batches(`/${ids[0]}/cancel`, 'POST');
    expect(await canceled.body.json()).toMatchObject({ processing_status: 'canceling' });
    upstream.release();
    expect(await (await batches(`/${ids[0]}`)).body.json()).toMatchObject({
      request_counts: { succeeded: 1, canceled: 1 },
    });
    expect((await batches(`/${ids[0]}`, 'GET', undefined, 'sk-ant-other')).statusCode).toBe(404);
    expect((await batches(`/${ids[0]}`, 'DELETE')).statusCode).toBe(200);
    expect((await batches(`/${ids[0]}`)).statusCode).toBe(404);
  });
});
