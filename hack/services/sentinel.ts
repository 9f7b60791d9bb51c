import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as Client } from 'ioredis';
import { freePort } from './ports.ts';
import { type Child, launch } from './processes.ts';
import { type Redis, startRedis } from './redis.ts';

const MASTER = 'ledger';
const SERVERS = 3;
const SENTINELS = 3;

/** A master and two replicas under three Sentinels, all of them with passwords. */
export interface Sentinel {
  /** `redis+sentinel://…`, with the passwords in it: never print it. */
  readonly url: string;
  /** The server that the Sentinels name at present. */
  readonly master: () => Promise<Redis>;
  readonly servers: () => readonly Redis[];
  /** SIGKILLs the master and returns, after how many milliseconds, once the Sentinels name another one. */
  readonly failOver: () => Promise<number>;
  /** Brings back, as replicas, the servers that were killed; returns once the master has all its replicas. */
  readonly heal: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts the six processes on 127.0.0.1 and returns once the master accepts writes and each Sentinel knows all others. */
export async function startSentinel(directory: string): Promise<Sentinel> {
  const password = randomBytes(18).toString('hex');
  const sentinelPassword = randomBytes(18).toString('hex');
  const first = await startServer(directory, 1, password);
  const servers = [
    first,
    await startServer(directory, 2, password, first),
    await startServer(directory, 3, password, first),
  ];
  const sentinels: (Child & { port: number })[] = [];
  for (let n = 1; n <= SENTINELS; n += 1) sentinels.push(await startWatcher(directory, n, first, sentinelPassword));
  const stopped = new Set<number>();

  /** Asks one of the Sentinels. */
  async function ask<T>(question: (sentinel: Client) => Promise<T>): Promise<T> {
    const sentinel = new Client({ port: sentinels[0]!.port, password: sentinelPassword });
    return question(sentinel).finally(() => sentinel.disconnect());
  }

  const master = () =>
    ask(async (sentinel) => {
      const [, port] = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER)) as [string, string];
      return servers.find((server) => server.port === Number(port))!;
    });

  /** Waits until the master has all its replicas, and the Sentinels know of that and of each other. */
  async function settled(): Promise<void> {
    for (;;) {
      const fields = (await ask((sentinel) => sentinel.call('SENTINEL', 'MASTER', MASTER))) as string[];
      const known = (field: string) => fields[fields.indexOf(field) + 1];
      const replicas = await ask((sentinel) => sentinel.call('SENTINEL', 'REPLICAS', MASTER));
      const flags = (replicas as string[][]).map((replica) => replica[replica.indexOf('flags') + 1]);
      const isCalm = known('flags') === 'master' && known('num-other-sentinels') === `${SENTINELS - 1}`;
      if (isCalm && flags.filter((flag) => flag === 'slave').length === SERVERS - 1 && (await hasReplicas())) return;
      await sleep(50);
    }
  }

  async function hasReplicas(): Promise<boolean> {
    const client = new Client((await master()).url);
    const text = await client.info('replication').finally(() => client.disconnect());
    return text.includes(`connected_slaves:${SERVERS - 1}`) && !text.includes('lag=-') && !text.includes('state=wait');
  }

  await settled();
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return {
    url: `redis+sentinel://:${password}@${hosts}/${MASTER}/0?sentinelPassword=${sentinelPassword}`,
    master,
    servers: () => servers.filter(({ port }) => !stopped.has(port)),
    failOver: async () => {
      const killed = await master();
      const since = performance.now();
      stopped.add(killed.port);
      await killed.kill();
      while ((await master()).port === killed.port) await sleep(20);
      return performance.now() - since;
    },
    heal: async () => {
      for (const port of stopped) {
        const index = servers.findIndex((server) => server.port === port);
        servers[index] = await startServer(directory, index + 1, password, await master(), port);
        stopped.delete(port);
      }
      await settled();
    },
    stop: async () => {
      await Promise.all([...sentinels, ...servers].map((child) => child.kill()));
    },
  };
}

function startServer(directory: string, n: number, password: string, master?: Redis, port?: number): Promise<Redis> {
  return startRedis({
    directory: join(directory, `redis-${n}`),
    password,
    ...(port === undefined ? {} : { port }),
    configuration: [
      `masterauth ${password}`,
      'min-replicas-to-write 1',
      'min-replicas-max-lag 2',
      'repl-diskless-sync-delay 0',
      ...(master === undefined ? [] : [`replicaof 127.0.0.1 ${master.port}`]),
    ],
  });
}

async function startWatcher(
  directory: string,
  n: number,
  master: Redis,
  password: string,
): Promise<Child & { port: number }> {
  const port = await freePort();
  const own = join(directory, `sentinel-${n}`);
  mkdirSync(own, { recursive: true });
  const file = join(own, 'sentinel.conf');
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `dir ${JSON.stringify(own)}`,
    `requirepass ${password}`,
    `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 2`,
    `sentinel auth-pass ${MASTER} ${master.password}`,
    `sentinel sentinel-pass ${password}`,
    `sentinel down-after-milliseconds ${MASTER} 1000`,
    `sentinel failover-timeout ${MASTER} 10000`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  const child = await launch(
    { name: `sentinel-${n}`, command: 'redis-server', args: [file, '--sentinel'], logFile: join(own, 'sentinel.log') },
    () => isUp(port, password),
  );
  return { ...child, port };
}

async function isUp(port: number, password: string): Promise<true | undefined> {
  const client = new Client({ port, password, retryStrategy: () => null, lazyConnect: true });
  client.on('error', () => undefined); // not up yet
  const isUp = await client.ping().then(
    () => true as const,
    () => undefined,
  );
  client.disconnect();
  return isUp;
}
