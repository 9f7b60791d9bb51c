import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { expect, test } from '@jest/globals';
import { Certificate } from '../../../gateway/http/certificate.ts';
import { METRICS_TOKEN } from '../../../hack/run/scrape.ts';
import { writeCertificate } from '../../support/certificate.ts';
import { until } from '../../support/until.ts';
import { settled, standIn, streaming, useGateways } from './fixture.ts';
import { ask, startGateway } from './harness.ts';
import { handover } from './policies.ts';

const env = useGateways();
const { books, gatewayWith, running } = env;

test('a gateway that stops finishes and settles its streams, then leaves the ledger’s list', async () => {
  const gateway = await gatewayWith({}, { installation: 'leaving' });
  const held = ask(gateway.url, { body: streaming, headers: standIn({ holdAfter: 1 }) });
  await until(() => env.upstream.books().open === 1);
  const other = await gatewayWith({}, { installation: 'leaving' });
  const stopped = running.splice(running.indexOf(gateway), 1)[0]!.stop();
  await until(() =>
    ask(gateway.url).then(
      () => false,
      ({ code }: NodeJS.ErrnoException) => code === 'ECONNREFUSED',
    ),
  );
  expect(await other.ledger.operator.gateways()).toHaveLength(2);
  env.upstream.release();
  expect((await held).text).toContain('message_stop');
  await stopped;
  expect((await settled(other)).spentNano).toBe(books());
  expect(await other.ledger.operator.gateways()).toHaveLength(1);
});

test('a gateway that stops does not wait for requests that never arrive completely', async () => {
  const gateway = await startGateway({ redisUrl: env.redis.url, handover: handover({ baseURL: env.upstream.url }) });
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

test('a renewed certificate is used for new connections and cuts none; one that cannot be used changes nothing', async () => {
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
  await until(() => env.upstream.books().open === 1);
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
  env.upstream.release();
  expect((await held).text).toContain('message_stop');
  const { text } = await ask(gateway.url, {
    agent,
    method: 'GET',
    path: '/metrics',
    headers: { authorization: `Bearer ${METRICS_TOKEN}` },
  });
  const expiry = Number(/^tollgate_certificate_expiry_timestamp_seconds (\d+)$/m.exec(text)![1]);
  expect(expiry * 1000).toBe(new X509Certificate(readFileSync(join(folder, 'tls.crt'))).validToDate.getTime());
  agent.destroy();
});
