import { mkdtempSync, readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { expect, test } from '@jest/globals';
import { BatchUpstream } from '../../../operator/batches/batch-upstream.ts';
import { NO_PROXY } from '../../../proxy/proxy-environment.ts';
import { writeCertificate } from '../../support/certificate.ts';

test('the results of each batch use a connection of their own, also with an upstream that speaks HTTP/2', async () => {
  const files = writeCertificate(mkdtempSync(join(tmpdir(), 'tollgate-results-')));
  const [cert, key] = [files.certificate, files.key].map((file) => readFileSync(file, 'utf8'));
  setDefaultCACertificates([...getCACertificates(), cert!]);
  const spoken: string[] = [];
  const headers = { 'anthropic-workspace-id': 'wrkspc_1', 'anthropic-version': '2026-10-21' };
  const server = createSecureServer({ cert: cert!, key: key!, allowHTTP1: true }, (request, response) => {
    expect(request.headers).toMatchObject({ ...headers, 'x-api-key': 'key' });
    spoken.push(request.httpVersion);
    response.end('{"custom_id":"a"}\n{"custom_id":"b"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const baseURL = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const lines: string[] = [];
  const results = new BatchUpstream(NO_PROXY).results({ baseURL, apiKey: 'key', headers, batch: 'msgbatch_1' });
  for await (const line of results) lines.push(line);
  expect([spoken, lines]).toEqual([['1.1'], ['{"custom_id":"a"}', '{"custom_id":"b"}']]);
  server.close();
});
