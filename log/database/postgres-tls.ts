import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { SslMode } from '../../config/postgres-url.ts';

/** TLS on a connection to Postgres, or none. */
export type Tls = ConnectionOptions | false;

/** An address without the parameters about TLS, and what they mean: what is tried first, and what else where that fails. */
export interface PostgresAddress {
  readonly url: string;
  readonly tls: readonly Tls[];
}

const FILES = { sslrootcert: 'ca', sslcert: 'cert', sslkey: 'key' } as const;

/** Encrypts, and does not look at who answers. */
const UNVERIFIED: ConnectionOptions = { rejectUnauthorized: false };

/** Verifies the certificate, but not that it is for the host. */
const ANY_HOST: ConnectionOptions = { checkServerIdentity: () => undefined };

/** By mode, what is tried in order. */
const WAYS: Readonly<Record<SslMode, readonly Tls[]>> = {
  disable: [false],
  allow: [false, UNVERIFIED],
  prefer: [UNVERIFIED, false],
  require: [UNVERIFIED],
  'verify-ca': [ANY_HOST],
  'verify-full': [{}],
};

/**
 * Reads `sslmode`, `sslrootcert`, `sslcert` and `sslkey` as libpq does, where node-postgres takes `prefer` and `require` for
 * `verify-full`. As with libpq, no mode means `prefer`; with a root CA and no mode the server is verified. Without a root CA
 * the `verify` modes trust the CAs of the process. @throws Error of a file that cannot be read
 */
export function postgresAddress(text: string): PostgresAddress {
  const url = new URL(text);
  const { searchParams } = url;
  const files: ConnectionOptions = {};
  for (const [parameter, option] of Object.entries(FILES)) {
    const path = searchParams.get(parameter);
    if (path && path !== 'system') files[option] = readFileSync(path, 'utf8');
  }
  const hasRoot = searchParams.has('sslrootcert');
  const mode = (searchParams.get('sslmode') ?? (hasRoot ? 'verify-full' : 'prefer')) as SslMode;
  for (const parameter of ['sslmode', ...Object.keys(FILES)]) searchParams.delete(parameter);
  const ways = WAYS[mode === 'require' && hasRoot ? 'verify-ca' : mode];
  return { url: url.href, tls: ways.map((tls) => tls && { ...files, ...tls }) };
}
