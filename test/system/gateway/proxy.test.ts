import { expect, test } from '@jest/globals';
import { BatchUpstream } from '../../../operator/batches/batch-upstream.ts';
import { proxiesOf } from '../../../proxy/proxy-environment.ts';
import { startConnectProxy } from '../../support/connect-proxy.ts';
import { startTlsFront } from '../../support/tls-front.ts';
import { settled, streaming, useGateways } from './fixture.ts';
import { ask, errorOf } from './harness.ts';

const fixture = useGateways();
const BASIC = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;

test.each(['http', 'https'])('every byte of an upstream with %s goes through the proxy', async (scheme) => {
  const tls = await startTlsFront('upstream.test', fixture.upstream.port);
  const plain = Number(new URL(fixture.upstream.url).port);
  const proxy = await startConnectProxy({ 'upstream.test:443': tls.port, 'upstream.test:80': plain });
  const name = `${scheme.toUpperCase()}_PROXY`;
  const proxyFor = proxiesOf({ [name]: proxy.url.replace('//', '//user:p%40ss@') });
  const baseURL = `${scheme}://upstream.test`;
  // No resolver knows that name, so what arrives has come through the proxy.
  const gateway = await fixture.gatewayWith({ baseURL }, { proxyFor });
  const headers = { 'anthropic-beta': 'interleaved-thinking-2025-05-14' };
  expect((await ask(gateway.url, { headers })).status).toBe(200);
  expect((await ask(gateway.url, { body: streaming })).text).toContain('message_stop');
  expect(fixture.received[0]!.headers['anthropic-beta']).toBe('interleaved-thinking-2025-05-14');
  expect(fixture.received[0]!.headers).not.toHaveProperty('proxy-authorization');
  expect((await settled(gateway)).spentNano).toBe(fixture.books());

  const batches = new BatchUpstream(proxyFor);
  const progress = await batches.progress({
    baseURL,
    apiKey: 'sk-ant-upstream',
    headers: {},
    batch: 'msgbatch_unknown',
  });
  expect(progress).toEqual({ kind: 'Gone' });
  const target = `upstream.test:${scheme === 'https' ? 443 : 80}`;
  expect(new Set(proxy.asked.map((one) => one.target))).toEqual(new Set([target]));
  expect(new Set(proxy.asked.map((one) => one.authorization))).toEqual(new Set([BASIC]));
  expect(JSON.stringify(gateway.logs)).not.toContain('p%40ss');
  await proxy.stop();
  tls.close();
});

test('a proxy that refuses, or is not there, costs nothing and is not asked for hosts in NO_PROXY', async () => {
  const proxy = await startConnectProxy({});
  const env = { HTTP_PROXY: proxy.url.replace('//', '//user:p%40ss@') };
  const refused = await fixture.gatewayWith({ baseURL: 'http://upstream.test' }, { proxyFor: proxiesOf(env) });
  const answer = await ask(refused.url);
  expect(answer.status).toBe(502);
  expect(errorOf(answer).message).not.toContain('user');
  expect((await settled(refused)).certainNano).toBe(0n);
  await proxy.stop();
  const gone = await ask(refused.url);
  expect(gone.status).toBe(502);
  expect((await settled(refused)).certainNano).toBe(0n);
  expect(JSON.stringify(refused.logs)).not.toContain('p%40ss');

  const direct = await fixture.gatewayWith({}, { proxyFor: proxiesOf({ ...env, NO_PROXY: '127.0.0.0/8' }) });
  expect((await ask(direct.url)).status).toBe(200);
});
