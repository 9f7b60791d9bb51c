import { mkdtempSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { writeCertificate } from './certificate.ts';

/** TLS in front of a port on 127.0.0.1, with a certificate for `host` that this process trusts from here on. */
export async function startTlsFront(host: string, behind: number): Promise<{ port: number; close: () => void }> {
  const files = writeCertificate(mkdtempSync(join(tmpdir(), 'tollgate-tls-')), { name: `DNS:${host}` });
  const [cert, key] = [files.certificate, files.key].map((file) => readFileSync(file, 'utf8'));
  setDefaultCACertificates([...getCACertificates(), cert!]);
  const server = createServer({ cert: cert!, key: key! }, (near) => {
    const far = connect(behind, '127.0.0.1');
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}
