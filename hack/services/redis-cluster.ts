import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as Client } from 'ioredis';
import { type Redis, startRedis } from './redis.ts';

const MASTERS = 3;
const SLOTS = 16_384;

/** Three masters with a replica each. */
export interface RedisCluster {
  /** `redis+cluster://…`, with the password in it: never print it. */
  readonly url: string;
  readonly servers: readonly Redis[];
  /** The server that holds a key. */
  readonly masterOf: (key: string) => Promise<Redis>;
  /** SIGKILLs the server that holds a key and returns once another one does. */
  readonly failOver: (key: string) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts the six servers on 127.0.0.1 and returns once every one of them calls the cluster whole. */
export async function startRedisCluster(directory: string): Promise<RedisCluster> {
  const password = randomBytes(18).toString('hex');
  const servers: Redis[] = [];
  for (let n = 1; n <= 2 * MASTERS; n += 1) servers.push(await startServer(join(directory, `redis-${n}`), password));
  const masters = servers.slice(0, MASTERS);
  const ids = await Promise.all(masters.map((server) => ask(server, 'CLUSTER', 'MYID')));
  for (const [n, master] of masters.entries()) {
    const [from, to] = [n, n + 1].map((edge) => Math.floor((edge * SLOTS) / MASTERS));
    await ask(master, 'CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to! - 1}`);
    await ask(master, 'CLUSTER', 'SET-CONFIG-EPOCH', `${n + 1}`);
  }
  for (const server of servers.slice(1)) await meet(server, servers[0]!);
  for (const [n, replica] of servers.slice(MASTERS).entries()) {
    await until(() => ask(replica, 'CLUSTER', 'REPLICATE', ids[n] as string).then((said) => said === 'OK'));
  }
  await until(async () => {
    const infos = await Promise.all(servers.map((server) => ask(server, 'CLUSTER', 'INFO')));
    return infos.every((info) => String(info).includes('cluster_state:ok')) && (await areReplicated(masters));
  });

  async function masterOf(key: string, among: readonly Redis[] = servers): Promise<Redis> {
    const slot = Number(await ask(among[0]!, 'CLUSTER', 'KEYSLOT', key));
    const ranges = (await ask(among[0]!, 'CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
    const [, , [, port]] = ranges.find(([from, to]) => from <= slot && slot <= to)!;
    return servers.find((server) => server.port === port)!;
  }

  return {
    url: `redis+cluster://:${password}@${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    servers,
    masterOf,
    failOver: async (key) => {
      const killed = await masterOf(key);
      await killed.kill();
      const others = servers.filter((server) => server !== killed);
      await until(async () => (await masterOf(key, others)) !== killed);
      await until(async () => String(await ask(others[0]!, 'CLUSTER', 'INFO')).includes('cluster_state:ok'));
    },
    stop: async () => {
      await Promise.all(servers.map((server) => server.kill()));
    },
  };
}

function startServer(directory: string, password: string): Promise<Redis> {
  return startRedis({
    directory,
    password,
    configuration: [
      `masterauth ${password}`,
      'cluster-enabled yes',
      'cluster-config-file nodes.conf',
      'cluster-node-timeout 1000',
      'repl-diskless-sync-delay 0',
      'min-replicas-max-lag 2',
    ],
  });
}

async function meet(server: Redis, first: Redis): Promise<void> {
  await ask(server, 'CLUSTER', 'MEET', '127.0.0.1', `${first.port}`);
}

async function areReplicated(masters: readonly Redis[]): Promise<boolean> {
  const infos = await Promise.all(masters.map((server) => ask(server, 'INFO', 'replication')));
  return infos.every((info) => String(info).includes('state=online'));
}

async function ask(server: Redis, command: string, ...args: string[]): Promise<unknown> {
  const client = new Client(server.url);
  return client.call(command, ...args).finally(() => client.disconnect());
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds().catch(() => false))) await sleep(50);
}
