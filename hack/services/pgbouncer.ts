import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { asOwner, giveToOwner, type Postgres, reachesPostgres } from './postgres.ts';
import { type Child, launch } from './processes.ts';

/** A pooler on 127.0.0.1 that gives each transaction another of few sessions, as managed services have it. */
export interface PgBouncer extends Child {
  /** Of the database of the Postgres behind it, with the password in it: never print it. */
  url: string;
}

/** Starts PgBouncer and returns once Postgres answers through it. @throws Error if it is not installed */
export async function startPgBouncer(directory: string, { url, port, password }: Postgres): Promise<PgBouncer> {
  const own = join(directory, 'pgbouncer');
  mkdirSync(own, { recursive: true });
  const listenPort = await freePort();
  const [users, file] = [join(own, 'users.txt'), join(own, 'pgbouncer.ini')];
  writeFileSync(users, `"tollgate" "${password}"\n`, { mode: 0o600 });
  const lines = [
    '[databases]',
    `* = host=127.0.0.1 port=${port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${listenPort}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${users}`,
    'pool_mode = transaction',
    'default_pool_size = 2',
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  giveToOwner(directory, own, users, file);
  const [command, args] = asOwner(program(), [file]);
  const logFile = join(own, 'pgbouncer.log');
  const through = url.replace(`:${port}/`, `:${listenPort}/`);
  const child = await launch({ name: 'pgbouncer', command, args, logFile }, () => reachesPostgres(through));
  return { ...child, url: through };
}

function program(): string {
  // Debian's folder for servers is on root's PATH only.
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin'];
  const folder = folders.find((each) => existsSync(join(each, 'pgbouncer')));
  if (folder === undefined) throw new Error('PgBouncer is not installed: run hack/assets/assets.sh pgbouncer');
  return join(folder, 'pgbouncer');
}
