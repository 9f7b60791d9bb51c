import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type ControlPlane, kubeconfigFor, startControlPlane } from '../services/control-plane.ts';
import { kubectl } from '../services/kubectl.ts';
import { ProcessRegistry, type Restarts } from '../services/process-registry.ts';
import { type Command, type Launch, responds } from '../services/processes.ts';
import { startRedis } from '../services/redis.ts';
import { supervisorCommand } from '../services/supervisor.ts';
import { METRICS_TOKEN } from './scrape.ts';

const repository = join(import.meta.dirname, '../..');
const NAMESPACE = 'tollgate-system';
const PLANE = ['etcd', 'kube-apiserver', 'kube-controller-manager'];
const OPERATORS = ['tollgate-operator-1', 'tollgate-operator-2'];
/** What the CRD has as the default upstream. */
export const REAL_API = 'https://api.anthropic.com';
/** Taken unless it is in use. */
const STAND_IN_PORT = 8899;
const GATEWAY_PORT = 8080;
/**
 * As in the chart. Most garbage is short-lived, so a small semi-space costs no time and saves 50 MB with 1,000 open streams.
 * The heap has the limit that Node takes in a Pod of 512 MiB, which is what the chart allows.
 */
const HEAP = '--max-old-space-size=256';
const FLAGS = {
  operator: [HEAP, '--max-semi-space-size=4'],
  gateway: [HEAP, '--max-semi-space-size=8'],
};

/** What is started, and where. */
export interface SystemOptions {
  /** Holds data, logs (`logs/<process>.log`), credentials and the registry of the processes. */
  directory: string;
  /** How many gateways. */
  replicas: number;
  /** An Anthropic-compatible URL; undefined: the stand-in is started. */
  upstream: string | undefined;
  /** The usage log's Postgres; absent: TOLLGATE_DATABASE_URL, or a folder here. */
  databaseUrl?: string;
  /** A running Redis, in any form of REDIS_URL; absent: one is started. */
  redisUrl?: string;
  /** Takes any free ports instead of those that examples name, since tests start several systems at once. */
  anyPorts?: boolean;
  /** Lines added to redis.conf. */
  redis?: string[];
  /** Further fields of the settings file. */
  settings?: Readonly<Record<string, unknown>>;
  /** Further variables of operators and gateways. */
  environment?: Readonly<Record<string, string>>;
  /** Whether operators and gateways run what `npm run build` has made, as the image does. */
  built?: boolean;
  /** Further flags of Node for the gateways. */
  gatewayFlags?: readonly string[];
  /** Whether the controllers of Kubernetes run, default true: without them nothing is deleted with its owner. */
  controllers?: boolean;
  /** Whether operators and gateways that end are started again; {@link System.restarts} counts that. Default false. */
  supervised?: boolean;
  /** Puts something between Redis and the operators and gateways: takes the port of Redis and returns the port that they use. */
  proxyRedis?: (port: number) => Promise<number>;
}

/** A whole Tollgate that runs in the background. */
export interface System {
  /** The administrator's. */
  kubeconfig: string;
  /** One a replica. */
  gatewayUrls: string[];
  /** Where the operators serve their metrics. */
  operatorUrls: string[];
  upstreamUrl: string;
  /** With the password in it: never print it. */
  redisUrl: string;
  /** The environment variable that says where the usage log is; its value may hold a password: never print it. */
  logPlace: Readonly<Record<string, string>>;
  /** The operators and gateways that ended by themselves and were started again, by name. */
  restarts: ReadonlyMap<string, Restarts>;
  /** Starts one of its processes that has ended, and does not wait until it is ready. */
  revive: (name: string) => Promise<void>;
}

/**
 * Brings up the control plane, Redis, the stand-in, two operators and the gateways, each with its real ServiceAccount,
 * and returns when all of them are ready. What already runs as asked for is kept.
 * @throws Error with the end of the log of a process that did not become ready; the others are left running.
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  return ProcessRegistry.use(options.directory, (registry) => bringUp(options, registry));
}

/** Stops everything that was started in the directory. Data and logs stay. */
export async function stopSystem(directory: string): Promise<void> {
  await ProcessRegistry.use(directory, (registry) => registry.retain([]));
}

async function bringUp(options: SystemOptions, registry: ProcessRegistry): Promise<System> {
  const { directory, replicas, upstream, anyPorts = false, supervised = false, environment = {} } = options;
  const commands = new Map<string, Command>();
  const launch: Launch = (command, probe) => {
    commands.set(command.name, command);
    return registry.launch(command, probe);
  };
  const redis = await startLedger(options, registry, launch);
  const upstreamUrl = upstream ?? (await startStandIn(options, registry));
  const plane = await startPlane(options, registry, upstreamUrl);
  const gateways = Array.from({ length: replicas }, (_, index) => `tollgate-gateway-${index + 1}`);
  const ports = new Map<string, number>();
  for (const name of OPERATORS) ports.set(name, await registry.port(name));
  for (const [index, name] of gateways.entries())
    ports.set(name, await registry.port(name, anyPorts ? undefined : GATEWAY_PORT + index));
  const gatewayUrls = gateways.map((name) => `http://127.0.0.1:${ports.get(name)}`);
  const settings = writeSettings(directory, {
    ...options.settings,
    gatewayURL: gatewayUrls[0] ?? '',
    upstreams: [REAL_API, new URL(upstreamUrl).origin],
  });
  const kubeconfigs = {
    operator: await serviceAccount(directory, plane, 'tollgate-operator'),
    gateway: await serviceAccount(directory, plane, 'tollgate-gateway'),
  };
  const edited = lastEdit();
  const databaseUrl = options.databaseUrl ?? process.env['TOLLGATE_DATABASE_URL'];
  const logPlace: System['logPlace'] = databaseUrl
    ? { TOLLGATE_DATABASE_URL: databaseUrl }
    : { TOLLGATE_USAGE_LOG_FOLDER: join(directory, 'log') };
  const entries = [...ports].map(([name, port]) => {
    const part: 'operator' | 'gateway' = OPERATORS.includes(name) ? 'operator' : 'gateway';
    const command: Command = {
      name,
      command: process.execPath,
      args: [...FLAGS[part], ...((part === 'gateway' && options.gatewayFlags) || []), ...programOf(part, options)],
      logFile: join(directory, 'logs', `${name}.log`),
      stamp: `${settings.text}${edited}`,
      env: {
        PATH: process.env['PATH'],
        LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'info',
        KUBECONFIG: kubeconfigs[part],
        TOLLGATE_SETTINGS: settings.file,
        REDIS_URL: redis.proxiedUrl,
        ...(part === 'operator'
          ? logPlace
          : {
              TOLLGATE_WRITE_AHEAD_LOG_FOLDER: join(directory, 'write-ahead-log'),
              TOLLGATE_SHUTDOWN_DELAY_SECONDS: '0',
            }),
        TOLLGATE_METRICS_TOKEN: METRICS_TOKEN,
        POD_NAME: name,
        PORT: String(port),
        ...environment,
      },
    };
    return launch(command, () => responds(`http://127.0.0.1:${port}/readyz`));
  });
  await Promise.all(entries);
  const standIn = upstream === undefined ? ['upstream'] : [];
  const ours = [...OPERATORS, ...gateways];
  if (supervised) {
    const command = supervisorCommand({ directory, commands: ours.map((name) => commands.get(name)!) });
    await registry.launch(command, () => true);
  }
  const supervisor = supervised ? ['supervisor'] : [];
  await registry.retain([...PLANE, ...redis.processes, ...standIn, ...ours, ...supervisor]);
  return {
    kubeconfig: plane.kubeconfig,
    gatewayUrls,
    operatorUrls: OPERATORS.map((name) => `http://127.0.0.1:${ports.get(name)}`),
    upstreamUrl,
    redisUrl: redis.url,
    logPlace,
    restarts: registry.restarts,
    revive: (name) => revive(directory, commands.get(name)),
  };
}

function programOf(part: 'operator' | 'gateway', { built = false }: SystemOptions): string[] {
  return built ? [join(repository, 'dist', 'bin', 'tollgate.js'), part] : [join(repository, part, 'main.ts')];
}

/** Redis, the URL that operators and gateways use for it, and the names of the processes that were started. */
async function startLedger(
  { directory, redisUrl, redis: configuration = [], proxyRedis }: SystemOptions,
  registry: ProcessRegistry,
  launch: Launch,
): Promise<{ url: string; proxiedUrl: string; processes: string[] }> {
  if (redisUrl !== undefined) return { url: redisUrl, proxiedUrl: redisUrl, processes: [] };
  const [port, password] = [await registry.port('redis'), registry.secret('redis')];
  const { url } = await startRedis({ directory, port, password, configuration, launch });
  const proxiedPort = (await proxyRedis?.(port)) ?? port;
  return { url, proxiedUrl: url.replace(/\d+$/, String(proxiedPort)), processes: ['redis'] };
}

async function revive(directory: string, command: Command | undefined): Promise<void> {
  if (command === undefined) throw new Error('there is no such process');
  await ProcessRegistry.use(directory, async (registry) => registry.start(command));
}

/** When the code of operators and gateways was last edited: processes that are older are replaced. */
function lastEdit(): number {
  const files = [
    'config',
    'crds',
    'policy',
    'ledger',
    'log',
    'metrics',
    'telemetry',
    'kube',
    'operator',
    'gateway',
  ].flatMap((folder) => readdirSync(join(repository, folder), { recursive: true, withFileTypes: true }));
  return Math.max(...files.map(({ parentPath, name }) => statSync(join(parentPath, name)).mtimeMs));
}

/** The control plane with Tollgate's CRDs and the manifests of the installation. */
async function startPlane(
  { directory, controllers = true }: SystemOptions,
  registry: ProcessRegistry,
  upstreamUrl: string,
): Promise<ControlPlane> {
  const crds = writeCrds(directory, upstreamUrl);
  const ports = { etcd: await registry.port('etcd'), server: await registry.port('kube-apiserver') };
  const plane = await startControlPlane({ directory, crds, controllers, ports, launch: registry.launch });
  const manifests = join(repository, 'hack', 'install');
  await kubectl(plane.kubeconfig, ['apply', '--server-side', '--force-conflicts', '-f', manifests]);
  return plane;
}

/** The CRDs with another default for `upstream.baseURL`, so that examples are applied as they are and cost nothing. */
function writeCrds(directory: string, upstreamUrl: string): string {
  const folder = join(directory, 'crds');
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(join(repository, 'crds')).filter((name) => name.endsWith('.yaml'))) {
    const text = readFileSync(join(repository, 'crds', file), 'utf8');
    writeFileSync(join(folder, file), text.replace(`default: ${REAL_API}`, `default: ${upstreamUrl}`));
  }
  return folder;
}

/** The stand-in for the Anthropic API. */
async function startStandIn(
  { directory, anyPorts = false }: SystemOptions,
  registry: ProcessRegistry,
): Promise<string> {
  const port = await registry.port('upstream', anyPorts ? undefined : STAND_IN_PORT);
  const url = `http://127.0.0.1:${port}`;
  const command: Command = {
    name: 'upstream',
    command: process.execPath,
    args: [join(repository, 'test', 'fakes', 'upstream', 'main.ts')],
    logFile: join(directory, 'logs', 'upstream.log'),
    env: { PATH: process.env['PATH'], PORT: String(port) },
  };
  await registry.launch(command, () => responds(url, 500));
  return url;
}

/** The settings that the operators and the gateways share. */
function writeSettings(directory: string, settings: Record<string, unknown>): { file: string; text: string } {
  const text = stringify(settings);
  const file = join(directory, 'settings.yaml');
  writeFileSync(file, text);
  return { file, text };
}

/** Writes a kubeconfig that holds a token of the ServiceAccount, good for 30 days, and returns its path. */
async function serviceAccount(directory: string, plane: ControlPlane, name: string): Promise<string> {
  const request = ['create', 'token', name, `--namespace=${NAMESPACE}`, '--duration=720h'];
  const token = await kubectl(plane.kubeconfig, request);
  const file = join(directory, `${name}.kubeconfig`);
  writeFileSync(file, kubeconfigFor(plane.server, plane.caFile, token.trim()), { mode: 0o600 });
  return file;
}
