import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { scrape } from '../../../hack/run/scrape.ts';
import { settled, streaming, useGateways } from './fixture.ts';
import { ask, errorOf, message } from './harness.ts';

const { gatewayWith } = useGateways();

const BODY = '{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}';

/** An upstream that answers every call as the API answers a key that it refuses. */
let status = 401;
const upstream = createServer((req, res) => {
  req.resume();
  const body = status === 200 ? '{"input_tokens":7}' : BODY;
  res.writeHead(status, { 'content-type': 'application/json' }).end(body);
});
let baseURL = '';
beforeAll(async () => {
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  baseURL = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
});
afterAll(() => {
  upstream.close();
});

const COUNT = { path: '/v1/messages/count_tokens', body: message({ max_tokens: undefined }) };

describe.each([401, 403])('a call whose upstream key the upstream refuses with %d', (answered) => {
  test.each([
    ['a message', { body: message() }],
    ['a stream', { body: streaming }],
    ['a count of tokens', COUNT],
    ['a batch', { path: '/v1/messages/batches', body: `{"requests":[{"custom_id":"a","params":${message()}}]}` }],
    ['a list of batches', { method: 'GET', path: '/v1/messages/batches' }],
    ['a list of models', { method: 'GET', path: '/v1/models' }],
  ])('%s: costs nothing, and says whose key it was', async (_name, asking) => {
    status = answered;
    const gateway = await gatewayWith({ baseURL, rest: { batches: 'Allow' } });
    const answer = await ask(gateway.url, asking);
    expect([answer.status, answer.headers['x-should-retry']]).toEqual([502, 'false']);
    expect(errorOf(answer)).toMatchObject({ type: 'api_error' });
    expect(errorOf(answer).message).toContain(
      `The upstream refused the upstream key of the workspace payments/checkout (${answered}).`,
    );
    expect(answer.text).not.toMatch(/authentication_error|invalid x-api-key/);
    expect(await settled(gateway)).toMatchObject({ spentNano: 0n, committedNano: 0n });
  });
});

test('is reported to the operator with the next heartbeat, until a call is accepted', async () => {
  status = 401;
  const gateway = await gatewayWith({ baseURL });
  const reported = async () => {
    await gateway.assembly.heartbeat.beat();
    return (await gateway.ledger.operator.gateways()).map(({ refusedKeys }) => refusedKeys);
  };
  expect(await reported()).toEqual([undefined]);
  await ask(gateway.url);
  expect(await reported()).toEqual([[{ workspace: 'payments/checkout', status: 401 }]]);
  status = 200;
  await ask(gateway.url, COUNT);
  expect(await reported()).toEqual([undefined]);
});

test('is counted for its workspace', async () => {
  status = 401;
  const gateway = await gatewayWith({ baseURL });
  await ask(gateway.url);
  expect(await scrape(gateway.url)).toMatch(/^tollgate_refusals_total\{.*reason="UpstreamKeyRefused".*\} 1$/m);
});
