import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { scrape } from '../../../hack/run/scrape.ts';
import { until } from '../../support/until.ts';
import { counterOf, settled, standIn, useGateways } from './fixture.ts';
import { ask, errorOf, message } from './harness.ts';

const env = useGateways();
const { gatewayWith, received } = env;

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

  test('a body over 32 MB is refused with and without content-length', async () => {
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
    expect(gateway.assembly.openCalls.size).toBe(0);
  });
});

test('the bodies of all calls share a quota of memory; a call beyond it is refused with retry-after', async () => {
  const gateway = await gatewayWith({}, { bodyMemoryBytes: 24_000 });
  const long = message({ stream: true, messages: [{ role: 'user', content: 'x'.repeat(15_000) }] });
  const held = ask(gateway.url, { body: long, headers: standIn({ holdAfter: 1 }) });
  await until(() => env.upstream.books().open === 1);
  const path = '/v1/messages/count_tokens';
  for (const refused of [await ask(gateway.url, { body: long }), await ask(gateway.url, { path, body: long })]) {
    expect([refused.status, errorOf(refused).type, refused.headers['retry-after']]).toEqual([503, 'api_error', '1']);
    expect(errorOf(refused).message).toContain('TOLLGATE_BODY_MEMORY');
  }
  expect((await ask(gateway.url)).status).toBe(200);
  env.upstream.release();
  expect((await held).status).toBe(200);
  await until(async () => (await ask(gateway.url, { body: long })).status === 200);
  await settled(gateway);
  const text = await scrape(gateway.url);
  expect(text).toContain('tollgate_body_memory_bytes 0\n');
});

test.each(['/v1/messages', '/v1/messages/count_tokens'])('a body of too many values is refused by %s', async (path) => {
  const gateway = await gatewayWith();
  const body = message({ metadata: Array.from({ length: 250_000 }, () => []) });
  const answer = await ask(gateway.url, { path, body });
  expect([answer.status, errorOf(answer).message]).toEqual([
    400,
    'The body has more than 250,000 values and keys. Send the data as text, or divide it among several requests.',
  ]);
  expect(received).toEqual([]);
});
