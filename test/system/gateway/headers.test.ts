import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import { settled, standIn, streaming, useGateways } from './fixture.ts';
import { ask, message } from './harness.ts';

const { gatewayWith, received } = useGateways();

/** What an identity proxy, a CDN, an ingress and another gateway in front of this one add; and what a browser does. */
const FOREIGN = {
  'x-goog-iap-jwt-assertion': 'eyJ.fake.token',
  'x-amzn-oidc-data': 'eyJ.fake.token',
  'x-auth-request-email': 'someone@example.com',
  'cf-access-jwt-assertion': 'eyJ.fake.token',
  'x-litellm-api-key': 'sk-fake',
  'x-real-ip': '10.0.0.9',
  'x-original-forwarded-for': '10.1.1.1',
  'x-forwarded-for': '10.1.1.1',
  'x-envoy-external-address': '10.1.1.1',
  referer: 'https://intranet.example/page',
  origin: 'https://intranet.example',
  'proxy-authorization': 'Basic ZmFrZQ==',
  baggage: 'user=ann',
};
const CLIENT = {
  'anthropic-beta': 'interleaved-thinking-2025-05-14',
  'x-app': 'cli',
  'x-stainless-lang': 'js',
  traceparent: '00-1-2-01',
};
/** Of the account that the upstream key belongs to, and which all callers share. */
const ACCOUNT = /^(?:anthropic-|server$|set-cookie$|cf-|via$)/;

const servers: { close(): void }[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

describe.each([
  ['POST', '/v1/messages', message()],
  ['POST', '/v1/messages', streaming],
  ['POST', '/v1/messages/count_tokens', message({ max_tokens: undefined })],
  ['POST', '/v1/messages/batches', `{"requests":[{"custom_id":"a","params":${message()}}]}`],
  ['GET', '/v1/messages/batches', ''],
  ['GET', '/v1/models', ''],
])('%s %s', (method, path, body) => {
  test('takes up what the API needs, and brings down what clients act on', async () => {
    const gateway = await gatewayWith({ rest: { batches: 'Allow' } });
    const answer = await ask(gateway.url, { method, path, body, headers: { ...FOREIGN, ...CLIENT } });
    expect(answer).toMatchObject({ status: 200 });
    for (const { headers } of received) {
      expect(headers).toMatchObject(CLIENT);
      expect(Object.keys(headers).filter((name) => name in FOREIGN)).toEqual([]);
    }
    expect(received.length).toBeGreaterThan(0);
    expect(answer.headers['request-id']).toMatch(/^req_/);
    expect(Object.keys(answer.headers).filter((name) => ACCOUNT.test(name))).toEqual([]);
  });
});

test('the headers of a workspace go up with every call, and no caller overrides them', async () => {
  const upstreamHeaders = { 'anthropic-workspace-id': 'wrkspc_1', 'user-agent': 'acme', 'x-team': 'payments' };
  const gateway = await gatewayWith({ rest: { batches: 'Allow', upstreamHeaders } });
  const headers = { 'anthropic-workspace-id': 'wrkspc_2', 'User-Agent': 'mine', 'x-team': 'others' };
  const batch = `{"requests":[{"custom_id":"a","params":${message()}}]}`;
  await ask(gateway.url, { headers });
  await ask(gateway.url, { headers, body: streaming });
  await ask(gateway.url, { headers, path: '/v1/messages/count_tokens', body: message({ max_tokens: undefined }) });
  const created = await ask(gateway.url, { headers, path: '/v1/messages/batches', body: batch });
  const { id } = JSON.parse(created.text) as { id: string };
  await ask(gateway.url, { method: 'GET', headers, path: `/v1/messages/batches/${id}` });
  await ask(gateway.url, { method: 'GET', headers, path: '/v1/models' });
  expect(received).toHaveLength(6);
  for (const one of received) expect(one.headers).toMatchObject(upstreamHeaders);
});

test('headers of the upstream’s quota come down where the installation allows them', async () => {
  const gateway = await gatewayWith({}, { settings: { answerHeaders: ['anthropic-ratelimit-*'] } });
  const { headers } = await ask(gateway.url);
  expect(headers['anthropic-ratelimit-requests-limit']).toBe('4000');
  expect(headers).not.toHaveProperty('anthropic-organization-id');
});

test.each([message(), streaming])('an answer that comes compressed goes down as it came: %s', async (body) => {
  const gateway = await gatewayWith();
  const answer = await ask(gateway.url, { body, headers: standIn({ encoding: 'gzip' }) });
  expect(answer.headers['content-encoding']).toBe('gzip');
  expect((await settled(gateway)).spentNano).toBeGreaterThan(0n);
});

test('a list that comes compressed is read, and goes down as text', async () => {
  const page = JSON.stringify({ data: [{ id: 'claude-sonnet-5-5' }, { id: 'other' }], has_more: false });
  const sent: IncomingHttpHeaders[] = [];
  const upstream = createServer((req, res) => {
    sent.push(req.headers);
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip', server: 'cloudflare' };
    res.writeHead(200, headers).end(gzipSync(page));
  }).listen(0, '127.0.0.1');
  servers.push(upstream);
  await once(upstream, 'listening');
  const gateway = await gatewayWith({ baseURL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` });
  const { headers, text } = await ask(gateway.url, { method: 'GET', path: '/v1/models' });
  expect(sent[0]).toMatchObject({ 'accept-encoding': 'identity' });
  expect(JSON.parse(text)).toMatchObject({ data: [{ id: 'claude-sonnet-5-5' }] });
  expect(headers).toMatchObject({ 'content-type': 'application/json', 'content-length': String(text.length) });
  expect(headers).not.toHaveProperty('content-encoding');
  expect(headers).not.toHaveProperty('server');
});
