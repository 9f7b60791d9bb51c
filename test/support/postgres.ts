import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Postgres, type PostgresOptions, startPostgres as start } from '../../hack/services/postgres.ts';

/**
 * Starts a Postgres of the test's own; the test stops it. To bring back one that was stopped or killed, pass its
 * `directory`, `port` and `password` again.
 */
export function startPostgres(options: Partial<PostgresOptions> = {}): Promise<Postgres & { directory: string }> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), 'tollgate-postgres-'));
  return start({ ...options, directory }).then((postgres) => ({ ...postgres, directory }));
}

/** Creates a database on the server of `url`, and returns the URL of that. */
export async function createDatabase(url: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  return url.replace(/\/postgres$/, `/${name}`);
}
