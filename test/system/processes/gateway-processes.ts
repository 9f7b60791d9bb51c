import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { METRICS_TOKEN } from '../../../hack/run/scrape.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { CompiledBudget } from '../../../policy/core/compiled-policy.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { cluster } from '../../support/cluster.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { ask } from '../gateway/harness.ts';
import { handover, type WorkspaceOptions } from '../gateway/policies.ts';
import { writeShards } from '../gateway/shards.ts';

/** Redis, the stand-in for the upstream, and gateways as processes of their own, for the tests of one file. */
export interface GatewayProcesses {
  readonly redis: Awaited<ReturnType<typeof startRedis>>;
  readonly upstream: Upstream;
  /** What the upstream charged in this test. Nano-dollars. */
  readonly books: () => bigint;
  /** An installation of its own: a namespace with the shards, and keys of its own in Redis. */
  readonly installation: (
    first: Partial<WorkspaceOptions>,
    settings?: Record<string, unknown>,
    /** How the gateways reach Redis. */
    redisUrl?: string,
    /** More environment variables. */
    environment?: Record<string, string>,
  ) => Promise<Installation>;
}

export interface Installation {
  readonly ledger: RedisLedger;
  /** Starts a gateway process and resolves to its URL once it is ready. */
  readonly start: (kubeconfig?: string) => Promise<{ url: string; child: ChildProcess }>;
  /** The same with a name of its own, and without waiting until it is ready. */
  readonly launch: (pod: string, kubeconfig?: string) => Promise<{ url: string; child: ChildProcess }>;
  /** Hands over the next version of the workspace. */
  readonly apply: (workspace: Partial<WorkspaceOptions>) => Promise<void>;
}

export function useGatewayProcesses(): GatewayProcesses {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let upstream: Upstream;
  const children: ChildProcess[] = [];
  const ledgers: RedisLedger[] = [];

  beforeAll(async () => {
    redis = await startRedis();
    upstream = await startUpstream();
  });

  afterEach(async () => {
    upstream.release();
    const ending = children.splice(0).filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    await Promise.all(ending.map((child) => (child.kill('SIGKILL'), once(child, 'exit'))));
    for (const ledger of ledgers.splice(0)) ledger.close();
    upstream.clearBooks();
  });

  afterAll(async () => {
    await upstream.close();
    await redis.stop();
  });

  async function installation(
    first: Partial<WorkspaceOptions>,
    settings: Record<string, unknown> = {},
    redisUrl: string = redis.url,
    environment: Record<string, string> = {},
  ): Promise<Installation> {
    const namespace = await cluster().namespace('gateway');
    const name = randomUUID();
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-gateway-'));
    const settingsFile = join(folder, 'settings.yaml');
    const own = { installation: name, namespace, upstreams: [upstream.url], shards: 1 };
    writeFileSync(settingsFile, JSON.stringify({ ...own, ...settings }));
    const ledger = connectLedger({ url: redis.url, installation: name, epoch: () => 'first' });
    ledgers.push(ledger);
    let version = 0;
    const apply = async (workspace: Partial<WorkspaceOptions>): Promise<void> => {
      version += 1;
      await writeShards(cluster(), namespace, handover({ baseURL: upstream.url, version, ...workspace }));
    };
    await apply(first);
    await until(() =>
      ledger.operator.establish('first').then(
        () => true,
        () => false,
      ),
    );
    const launch: Installation['launch'] = async (pod, kubeconfig = cluster().kubeconfig) => {
      const env = {
        PATH: process.env['PATH'],
        TOLLGATE_WRITE_AHEAD_LOG_FOLDER: join(folder, 'write-ahead-log'),
        TOLLGATE_SHUTDOWN_DELAY_SECONDS: '0',
        KUBECONFIG: kubeconfig,
        LOG_LEVEL: 'info',
        TOLLGATE_METRICS_TOKEN: METRICS_TOKEN,
        POD_NAME: pod,
        PORT: '0',
        REDIS_URL: redisUrl,
        TOLLGATE_SETTINGS: settingsFile,
        ...environment,
      };
      const main = join(import.meta.dirname, '../../../gateway/main.ts');
      const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      children.push(child);
      return { url: await listening(child), child };
    };
    return {
      ledger,
      apply,
      launch,
      start: async (kubeconfig) => {
        const started = await launch(`gateway-${children.length}`, kubeconfig);
        await isReady(started.url);
        return started;
      },
    };
  }

  return {
    get redis() {
      return redis;
    },
    get upstream() {
      return upstream;
    },
    books: () => BigInt(upstream.books().total.nanoUsd),
    installation,
  };
}

export function isReady(url: string): Promise<boolean> {
  return until(() => ask(url, { method: 'GET', path: '/readyz' }).then(({ status }) => status === 200), 30_000);
}

/** Reads the port from the log, and the rest of the log away. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the gateway ended')));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const { port } = JSON.parse(line) as { port?: number };
      if (port !== undefined) resolve(`http://127.0.0.1:${port}`);
    });
  });
}

export async function counterOf(ledger: RedisLedger, one: CompiledBudget) {
  const { now } = await ledger.operator.state();
  const [reading] = await ledger.operator.read([budgetFiguresQuery(one, now)]);
  return reading!;
}

/** Resolves when nothing of the budget is reserved any more. */
export const quiet = (ledger: RedisLedger, one: CompiledBudget, ms = 10_000): Promise<boolean> =>
  until(async () => {
    const { total } = await counterOf(ledger, one);
    return total.committedNano === total.certainNano;
  }, ms);
