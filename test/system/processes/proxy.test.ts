import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { request } from 'undici';
import { budget, Installation, type Team } from '../../../bench/installation.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { writeCertificate } from '../../support/certificate.ts';
import { type ConnectProxy, startConnectProxy } from '../../support/connect-proxy.ts';
import { until } from '../../support/until.ts';

// Operator and gateway as processes whose environment names a proxy. No resolver knows the upstream's name, and only a CA of
// the environment has signed its certificate: what arrives there came on the way that the environment says.

const directory = mkdtempSync(join(tmpdir(), 'tollgate-proxy-'));
const BASIC = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
let upstream: Upstream;
let tls: Server;
let proxy: ConnectProxy;
let environment: Record<string, string>;
let installation: Installation;
let team: Team;

beforeAll(async () => {
  upstream = await startUpstream();
  const files = writeCertificate(directory, { name: 'DNS:upstream.test' });
  tls = await behindTls(files, Number(new URL(upstream.url).port));
  proxy = await startConnectProxy({ 'upstream.test:443': (tls.address() as AddressInfo).port });
  environment = {
    HTTPS_PROXY: proxy.url.replace('//', '//user:p%40ss@'),
    NO_PROXY: '127.0.0.0/8,inside.test',
    NODE_EXTRA_CA_CERTS: files.certificate,
  };
  await start();
  const limit = 'limit: { usd: "100" }, period: { every: Year }';
  team = await installation.team('behind', budget('behind', 'yearly', limit));
  const allow = JSON.stringify({ spec: { batches: { mode: 'Allow' } } });
  await installation.kubectl('patch', 'cw', 'app', '-n', 'behind', '--type=merge', '-p', allow);
  await installation.kubectl('wait', '--for=condition=Programmed', '--timeout=60s', '-n', 'behind', 'cw/app');
}, 300_000);

afterAll(async () => {
  await Installation.stop(directory);
  await proxy?.stop();
  tls?.close();
  await upstream?.close();
  rmSync(directory, { recursive: true, force: true });
});

async function start(more: Record<string, string> = {}): Promise<void> {
  installation = await Installation.start(1, {
    directory,
    upstream: 'https://upstream.test',
    environment: { ...environment, ...more },
    settings: { batchPollSeconds: 1 },
  });
}

async function post(path: string, body: object) {
  const answer = await request(`${installation.gateways[0]}${path}`, {
    method: 'POST',
    headers: { 'x-api-key': team.apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: answer.statusCode, text: await answer.body.text() };
}

const messages = [{ role: 'user', content: 'Hello' }];
const params = { model: 'claude-sonnet-5-5', max_tokens: 100, messages };

/** What the upstream charged, in nano-dollars. */
const charged = () => BigInt(upstream.books().total.nanoUsd);

async function spentNano(): Promise<bigint> {
  const { status } = await installation.budget('behind', 'yearly');
  const [whole = '0', part = ''] = (status?.spentUsd ?? '0').split('.');
  return BigInt(`${whole}${part.padEnd(9, '0')}`);
}

const events = () => installation.kubectl('get', 'events', '-n', 'behind', '-o', 'jsonpath={.items[*].reason}');

test('calls, streams and the polls of a Message Batch go by the proxy, and nothing else does', async () => {
  expect((await post('/v1/messages', params)).status).toBe(200);
  expect((await post('/v1/messages', { ...params, stream: true })).text).toContain('message_stop');
  const requests = [{ custom_id: 'a', params }];
  expect((await post('/v1/messages/batches', { requests })).status).toBe(200);
  // The operator has asked for the batch, and read its results.
  await until(async () => (await events()).includes('BatchSettled'));
  await until(async () => charged() > 0n && (await spentNano()) === charged());

  expect(new Set(proxy.asked.map(({ target }) => target))).toEqual(new Set(['upstream.test:443']));
  expect(new Set(proxy.asked.map(({ authorization }) => authorization))).toEqual(new Set([BASIC]));
  for (const name of ['tollgate-operator-1', 'tollgate-operator-2', 'tollgate-gateway-1'])
    expect(installation.log(name)).not.toMatch(/p%40ss|p@ss/);
}, 240_000);

test('a host in NO_PROXY is not asked of the proxy', async () => {
  await start({ NO_PROXY: '.test' });
  const before = proxy.asked.length;
  expect((await post('/v1/messages', params)).status).toBe(502);
  expect(proxy.asked).toHaveLength(before);
}, 240_000);

/** TLS in front of a port of this machine. */
async function behindTls(files: { certificate: string; key: string }, port: number): Promise<Server> {
  const [cert, key] = [files.certificate, files.key].map((file) => readFileSync(file, 'utf8'));
  const server = createServer({ cert: cert!, key: key! }, (near) => {
    const far = connect(port, '127.0.0.1');
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
