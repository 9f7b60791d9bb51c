import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './ports.ts';
import { type Child, launch } from './processes.ts';

/** Where Postgres runs. The same directory, port and password bring back what was there. */
export interface PostgresOptions {
  /** Holds `postgres/`, which is the data, and `logs/postgres.log`. */
  directory: string;
  port?: number;
  password?: string;
  /** More settings, such as `ssl=on`. */
  settings?: string[];
}

/** A server on 127.0.0.1 that ends with this process. */
export interface Postgres extends Child {
  port: number;
  password: string;
  /** Of its one database, with the password in it: never print it. */
  url: string;
}

/**
 * Starts Postgres and returns once it answers. Root starts it as the system's user `postgres`, since it refuses to run as
 * root. @throws Error if it is not installed
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { directory } = options;
  const port = options.port ?? (await freePort());
  const password = options.password ?? randomBytes(18).toString('hex');
  const url = `postgres://tollgate:${password}@127.0.0.1:${port}/postgres`;
  const bin = programs();
  const data = join(directory, 'postgres');
  mkdirSync(data, { recursive: true });
  if (!existsSync(join(data, 'PG_VERSION'))) initialise(bin, directory, data, password);
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    `port=${port}`,
    'max_connections=40',
    ...(options.settings ?? []),
  ];
  const [command, args] = asOwner(join(bin, 'postgres'), ['-D', data, ...settings.flatMap((each) => ['-c', each])]);
  const logFile = join(directory, 'logs', 'postgres.log');
  const child = await launch({ name: 'postgres', command, args, logFile }, () => reachesPostgres(url));
  return { ...child, port, password, url };
}

function initialise(bin: string, directory: string, data: string, password: string): void {
  const passwordFile = join(directory, 'postgres.password');
  writeFileSync(passwordFile, password, { mode: 0o600 });
  giveToOwner(directory, data, passwordFile);
  const credentials = ['--username=tollgate', `--pwfile=${passwordFile}`, '--auth=scram-sha-256'];
  const form = ['--encoding=UTF8', '--locale=C.UTF-8', '--no-sync'];
  const [command, args] = asOwner(join(bin, 'initdb'), ['-D', data, ...credentials, ...form]);
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
}

/** The folder of Postgres's programs: Debian keeps each version's in its own and not on the PATH. */
function programs(): string {
  const folders = [
    ...globSync('/usr/lib/postgresql/*/bin').toSorted().toReversed(),
    ...(process.env['PATH'] ?? '').split(':'),
  ];
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')));
  if (found === undefined) throw new Error('Postgres is not installed: run hack/assets/assets.sh postgres');
  return found;
}

/** What to run, so that it does not run as root. */
export function asOwner(command: string, args: string[]): [command: string, args: string[]] {
  if (ownerIds() === null) return [command, args];
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', '--', command, ...args]];
}

/** Lets the user that Postgres runs as have these files. */
export function giveToOwner(...paths: string[]): void {
  const owner = ownerIds();
  if (owner !== null) for (const path of paths) chownSync(path, ...owner);
}

/** The user and group that Postgres runs as; null if it runs as the present user. */
function ownerIds(): [uid: number, gid: number] | null {
  if (process.getuid?.() !== 0) return null;
  const [uid, gid] = ['-u', '-g'].map((option) => Number(execFileSync('id', [option, 'postgres'])));
  return [uid!, gid!];
}

/** A probe: whether Postgres takes the password. */
export async function reachesPostgres(url: string): Promise<true | undefined> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 1_000 });
  try {
    await client.connect();
    return true;
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}
