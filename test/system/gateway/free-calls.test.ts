import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { until } from '../../support/until.ts';
import { settled, standIn, useGateways } from './fixture.ts';
import { type Answer, ask, errorOf, message } from './harness.ts';

const { gatewayWith } = useGateways();

const PATH = '/v1/messages/count_tokens';
const OTHER = { 'x-api-key': 'sk-tollgate-other' };

test('a key that counts tokens in a loop keeps eight calls at the upstream, and no other key waits for it', async () => {
  let open = 0;
  let most = 0;
  let isReleased = false;
  const upstream = createServer((req, res) => {
    open += 1;
    most = Math.max(most, open);
    req.resume();
    void until(() => isReleased || req.headers['x-stainless-at-once'] !== undefined).then(() => {
      open -= 1;
      res.writeHead(200, { 'content-type': 'application/json' }).end('{"input_tokens":7}');
    });
  }).listen(0);
  await once(upstream, 'listening');
  const { port } = upstream.address() as AddressInfo;
  const keys = { api: 'sk-tollgate-api', other: 'sk-tollgate-other' };
  const gateway = await gatewayWith({ baseURL: `http://127.0.0.1:${port}`, keys });
  const body = message();
  const answers: Answer[] = [];
  const loop = Array.from({ length: 100 }, async () => answers.push(await ask(gateway.url, { path: PATH, body })));
  await until(() => open === 8 && answers.length === 100 - 72);
  const refused = answers[0]!;
  expect([refused.status, errorOf(refused).type, refused.headers['retry-after']]).toEqual([
    429,
    'rate_limit_error',
    '1',
  ]);
  const neighbour = await ask(gateway.url, { path: PATH, body, headers: { ...OTHER, 'x-stainless-at-once': '1' } });
  expect(neighbour.status).toBe(200);
  isReleased = true;
  await Promise.all(loop);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(72);
  expect(most).toBe(9);
  upstream.close();
});

test('a key whose calls the upstream answers with errors does not stop paid calls although no record is taken', async () => {
  const gateway = await gatewayWith({}, { usageLimit: 40 });
  for (let call = 0; call < 60; call++) {
    expect((await ask(gateway.url, { headers: standIn({ status: 400 }) })).status).toBe(400);
  }
  for (let call = 0; call < 10; call++) expect((await ask(gateway.url)).status).toBe(200);
  await settled(gateway);
  const waiting = await gateway.ledger.operator.readUsage(100);
  expect(waiting.filter(({ record }) => record.ending === 'ErrorStatus')).toHaveLength(20);
  expect(waiting.filter(({ record }) => record.ending === 'Answered')).toHaveLength(10);
});
