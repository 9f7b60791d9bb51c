import { copyFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { giveToOwner } from '../../../../hack/services/postgres.ts';
import { LogUnreachable } from '../../../../log/database/database.ts';
import { openDatabase } from '../../../../log/database/open-database.ts';
import { writeCertificate } from '../../../support/certificate.ts';
import { startPostgres } from '../../../support/postgres.ts';

type Postgres = Awaited<ReturnType<typeof startPostgres>>;

const SELECT = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
let plain: Postgres;
let encrypted: Postgres;
/** The server's own certificate, and that of somebody else. */
let own: string;
let other: string;

beforeAll(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-tls-'));
  // For a host of another name than the address.
  const { certificate, key } = writeCertificate(folder, { name: 'DNS:db.example' });
  own = certificate;
  other = writeCertificate(mkdtempSync(join(tmpdir(), 'tollgate-tls-'))).certificate;
  plain = await startPostgres();
  const [cert, secret] = ['server.crt', 'server.key'].map((name) => join(plain.directory, name));
  copyFileSync(certificate, cert!);
  copyFileSync(key, secret!);
  giveToOwner(cert!, secret!);
  encrypted = await startPostgres({ settings: ['ssl=on', `ssl_cert_file=${cert}`, `ssl_key_file=${secret}`] });
});

afterAll(async () => {
  await Promise.all([plain.stop(), encrypted.stop()]);
});

/** Whether the connection is encrypted; else why there is none. */
async function connection({ url }: Postgres, parameters: string): Promise<boolean | string> {
  const database = await openDatabase({ url: parameters === '' ? url : `${url}?${parameters}` });
  try {
    const [row] = await database.query<{ ssl: boolean }>(SELECT);
    return row!.ssl;
  } catch (error) {
    if (!(error instanceof LogUnreachable)) throw error;
    return error.message;
  } finally {
    await database.close();
  }
}

describe('as with libpq, sslmode', () => {
  test.each([
    ['', true, false],
    ['sslmode=disable', false, false],
    ['sslmode=allow', false, false],
    ['sslmode=prefer', true, false],
    ['sslmode=require', true, expect.stringContaining('does not support SSL')],
    ['sslmode=verify-full', expect.stringContaining('self-signed certificate'), expect.stringContaining('SSL')],
  ])('%s', async (parameters, ofEncrypted, ofPlain) => {
    expect(await connection(encrypted, parameters)).toEqual(ofEncrypted);
    expect(await connection(plain, parameters)).toEqual(ofPlain);
  });

  test('require and verify-ca verify by the root CA that is given, verify-full the host too', async () => {
    for (const mode of ['require', 'verify-ca']) {
      expect(await connection(encrypted, `sslmode=${mode}&sslrootcert=${own}`)).toBe(true);
      expect(await connection(encrypted, `sslmode=${mode}&sslrootcert=${other}`)).toMatch(/self-signed certificate/);
    }
    expect(await connection(encrypted, `sslmode=verify-full&sslrootcert=${own}`)).toMatch(/127\.0\.0\.1/);
    expect(await connection(encrypted, `sslrootcert=${own}`)).toMatch(/127\.0\.0\.1/);
  });
});

test('a file that the URL names and that is not there yet is no end of the process', async () => {
  await expect(openDatabase({ url: `${plain.url}?sslrootcert=/nowhere/ca.crt` })).rejects.toThrow(LogUnreachable);
});
