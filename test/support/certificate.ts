import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Writes a new self-signed certificate and its key, and returns their paths. */
export function writeCertificate(
  folder: string,
  { name = 'IP:127.0.0.1', days = 1 } = {},
): { certificate: string; key: string } {
  const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  const names = ['-subj', '/CN=tollgate.test', '-addext', `subjectAltName=${name}`];
  const made = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    String(days),
    '-keyout',
    key,
    '-out',
    certificate,
  ];
  execFileSync('openssl', [...made, ...names], { stdio: 'ignore' });
  return { certificate, key };
}
