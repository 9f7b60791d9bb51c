import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { METRICS_TOKEN } from '../../../hack/run/scrape.ts';
import { kubeconfigFor, startControlPlane } from '../../../hack/services/control-plane.ts';
import { kubectl as runKubectl } from '../../../hack/services/kubectl.ts';
import { type Child, type Command, launch, type Probe, ready, start } from '../../../hack/services/processes.ts';
import { type Redis, startRedis } from '../../../hack/services/redis.ts';
import { KubeClient } from '../../../kube/client.ts';
import { type ConfigMap, configMaps, type Secret, secrets } from '../../../kube/kinds.ts';
import { connectByKubeconfig } from '../../../kube/kubeconfig-connection.ts';
import type { ObjectRef } from '../../../kube/object.ts';
import type { RefusedKey } from '../../../ledger/gateway-ledger.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import { COMPILED_SCHEMA } from '../../../policy/core/compiled-policy.ts';
import type { Result } from '../../../policy/core/result.ts';
import type { KeysShard, PolicyShard, SharedShard } from '../../../policy/shards/shard-contents.ts';
import { decodeKeysShard, decodePolicyShard, decodeSharedShard } from '../../../policy/shards/shard-contents.ts';
import { SHARED_SHARD, type ShardData, shardOf } from '../../../policy/shards/shard-format.ts';
import { until } from '../../support/until.ts';

export const NAMESPACE = 'tollgate-system';
const SHARDS = 8;
const repository = join(import.meta.dirname, '../../..');
export const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** An operator's process. */
export type Operator = Child & { readonly port: number };

/** A control plane and a Redis for one test file, with Tollgate's manifests, because an operator acts on a whole cluster. */
export interface Installation {
  /** With an administrator's rights. */
  readonly kubeconfig: string;
  readonly kubectl: (...args: string[]) => Promise<string>;
  readonly apply: (yaml: string) => Promise<string>;
  /** With an administrator's rights. */
  readonly client: KubeClient;
  /** Creates a namespace with the Secret `anthropic`, and returns its name. */
  readonly tenant: (labels?: Record<string, string>) => Promise<string>;
  readonly redis: () => Redis;
  readonly restartRedis: (loss?: 'with loss') => Promise<void>;
  readonly stopRedis: () => Promise<void>;
  /** Replaces Redis by one with the ledger of another installation of the same name. */
  readonly swapRedis: () => Promise<void>;
  readonly restartServer: (downMs: number) => Promise<void>;
  /** The path of an operator's log. */
  readonly logOf: (name: string) => string;
  /** Resolves once it listens. */
  readonly launchOperator: (name: string) => Promise<Operator>;
  /** Resolves once it is ready. */
  readonly startOperator: (name: string) => Promise<Operator>;
  readonly stop: () => Promise<void>;
}

/** `settings`: lines of the settings file. `databaseUrl`: of the usage log; without it the log is kept in a folder. */
export async function install({ settings: lines = '', databaseUrl = '' } = {}): Promise<Installation> {
  const directory = mkdtempSync(join(tmpdir(), 'tollgate-operator-'));
  const started = new Map<string, { command: Command; probe: Probe; child: Child }>();
  const noted = async (command: Command, probe: Probe) => {
    const child = await launch(command, probe);
    started.set(command.name, { command, probe, child });
    return child;
  };
  const plane = await startControlPlane({ directory, crds: join(repository, 'crds'), launch: noted });
  const kubectl = (...args: string[]) => runKubectl(plane.kubeconfig, args);
  const client = new KubeClient({ connection: connectByKubeconfig(plane.kubeconfig), random: Math.random });
  await kubectl('apply', '--server-side', '-f', join(repository, 'hack', 'install'));
  const token = await kubectl('create', 'token', 'tollgate-operator', '-n', NAMESPACE, '--duration=24h');
  const kubeconfig = join(directory, 'operator.kubeconfig');
  writeFileSync(kubeconfig, kubeconfigFor(plane.server, plane.caFile, token.trim()));
  const settings = join(directory, 'settings.yaml');
  writeFileSync(settings, `gatewayURL: http://gateway.test:8080\n${lines}`);
  let redis = await startRedis({ directory });
  const logOf = (name: string) => join(directory, 'logs', `${name}.log`);
  const operators: Child[] = [];

  const launchOperator = async (name: string): Promise<Operator> => {
    const child = start({
      name,
      command: process.execPath,
      args: [join(repository, 'operator', 'main.ts')],
      logFile: logOf(name),
      env: {
        PATH: process.env['PATH'],
        KUBECONFIG: kubeconfig,
        TOLLGATE_SETTINGS: settings,
        REDIS_URL: redis.url,
        ...(databaseUrl
          ? { TOLLGATE_DATABASE_URL: databaseUrl }
          : { TOLLGATE_USAGE_LOG_FOLDER: join(directory, 'log') }),
        TOLLGATE_METRICS_TOKEN: METRICS_TOKEN,
        POD_NAME: name,
        PORT: '0',
        LOG_LEVEL: 'debug',
      },
    });
    operators.push(child);
    const port = await ready(child, () => portIn(child.logFile));
    return { ...child, port };
  };

  return {
    kubeconfig: plane.kubeconfig,
    kubectl,
    apply: (yaml) => runKubectl(plane.kubeconfig, ['apply', '--server-side', '--force-conflicts', '-f', '-'], yaml),
    client,
    tenant: async (labels = {}) => {
      const name = `team-${randomBytes(4).toString('hex')}`;
      await kubectl('create', 'namespace', name);
      const pairs = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
      if (pairs.length > 0) await kubectl('label', 'namespace', name, ...pairs);
      const type = '--type=tollgate.dev/upstream-key';
      await kubectl('create', 'secret', 'generic', 'anthropic', '-n', name, type, '--from-literal=api-key=sk-ant-x');
      return name;
    },
    redis: () => redis,
    stopRedis: () => redis.stop(),
    restartRedis: async (loss) => {
      await redis.stop();
      if (loss) rmSync(join(directory, 'redis'), { recursive: true, force: true });
      redis = await startRedis({ directory, port: redis.port, password: redis.password });
    },
    swapRedis: async () => {
      await redis.stop();
      rmSync(join(directory, 'redis'), { recursive: true, force: true });
      const hidden = await startRedis({ directory, password: redis.password });
      const other = connectLedger({ url: hidden.url, installation: 'tollgate', epoch: () => 'other' });
      await until(() =>
        other.operator.establish('other').then(
          () => true,
          () => false,
        ),
      );
      other.close();
      await hidden.stop();
      redis = await startRedis({ directory, port: redis.port, password: redis.password });
    },
    restartServer: async (downMs) => {
      const { command, probe, child } = started.get('kube-apiserver')!;
      await child.kill();
      await sleep(downMs);
      await noted(command, probe);
    },
    logOf,
    launchOperator,
    startOperator: async (name) => {
      const operator = await launchOperator(name);
      await ready(operator, () => answers(`http://127.0.0.1:${operator.port}/readyz`));
      return operator;
    },
    stop: async () => {
      await Promise.all(operators.map((operator) => operator.stop()));
      await redis.stop();
      await client.close();
      for (const { child } of [...started.values()].toReversed()) await child.stop();
      if (process.env['KEEP'] === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

function portIn(logFile: string): number | undefined {
  const line = readFileSync(logFile, 'utf8')
    .split('\n')
    .find((one) => one.includes('"port":'));
  return line === undefined ? undefined : (JSON.parse(line) as { port: number }).port;
}

function answers(url: string): Promise<true | undefined> {
  return fetch(url).then(
    ({ ok }) => ok || undefined,
    () => undefined,
  );
}

/** Reads the shards as the gateways do. */
export class Shards {
  readonly #client: KubeClient;

  constructor({ client }: Pick<Installation, 'client'>) {
    this.#client = client;
  }

  async policy(workspace: string): Promise<PolicyShard> {
    const { data } = await this.#client.get<ConfigMap>(configMaps, nameOf('policy', workspace));
    return sound(decodePolicyShard(data, hash));
  }

  async keys(workspace: string): Promise<KeysShard> {
    const { data = {} } = await this.#client.get<Secret>(secrets, nameOf('keys', workspace));
    const decoded = Object.entries(data).map(([name, text]) => [name, Buffer.from(text, 'base64').toString()]);
    return sound(decodeKeysShard(Object.fromEntries(decoded) as ShardData, hash));
  }

  async shared(): Promise<SharedShard> {
    const { data } = await this.#client.get<ConfigMap>(configMaps, { namespace: NAMESPACE, name: SHARED_SHARD });
    return sound(decodeSharedShard(data, hash));
  }

  /** The revisions that an up-to-date gateway reports. */
  async revisions(): Promise<Record<string, number>> {
    const { items } = await this.#client.list<ConfigMap>(configMaps, { namespace: NAMESPACE });
    const shards = items.filter(({ metadata }) => /^tollgate-policy-\d$/.test(metadata.name));
    const revisions = shards.map(({ metadata, data }) => [metadata.name, decodePolicyShard(data, hash)] as const);
    return Object.fromEntries(
      revisions.flatMap(([name, decoded]) => (decoded.ok ? [[name, decoded.value.revision]] : [])),
    ) as Record<string, number>;
  }
}

function nameOf(kind: 'policy' | 'keys', workspace: string): ObjectRef {
  return { namespace: NAMESPACE, name: `tollgate-${kind}-${shardOf(workspace, SHARDS)}` };
}

function sound<T>(decoded: Result<T, string>): T {
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}

/** A gateway as the operator sees it: it sends heartbeats that report what it reads from the shards, or the last of it while it lags. */
export class SimulatedGateway {
  readonly ledger: RedisLedger;
  isLagging = false;
  /** The newest schema of compiled policy that it reads. */
  schema: number = COMPILED_SCHEMA;
  refusedKeys: readonly RefusedKey[] = [];
  readonly #pod: string;
  readonly #shards: Shards;
  #revisions: Record<string, number> = {};
  #epoch: string | null = null;
  #isStopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(url: string, pod: string, shards: Shards) {
    this.#pod = pod;
    this.#shards = shards;
    this.ledger = connectLedger({ url, installation: 'tollgate', epoch: () => this.#epoch });
    this.#begin();
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
    await this.ledger.gateway.leave().catch(() => undefined);
    this.ledger.close();
  }

  #begin(): void {
    this.ledger.gateway.begin(`${this.#pod}-${randomBytes(4).toString('hex')}`);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        if (!this.isLagging) this.#revisions = await this.#shards.revisions();
        this.#epoch = (await this.#shards.shared()).epoch;
        const { kind } = await this.ledger.gateway.beat({
          pod: this.#pod,
          shards: this.#revisions,
          schema: this.schema,
          refusedKeys: this.refusedKeys,
        });
        if (kind === 'swept') this.#begin();
      } catch {
        // The API server or Redis is away.
      }
      await sleep(100);
    }
  }
}
