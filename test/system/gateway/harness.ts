import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { type Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { WriteAheadLog } from '../../../gateway/admission/write-ahead-log.ts';
import { assemble, type Assembly } from '../../../gateway/assembly.ts';
import type { Certificate } from '../../../gateway/http/certificate.ts';
import type { Draining } from '../../../gateway/http/server.ts';
import { ActivePolicy } from '../../../gateway/policy/active-policy.ts';
import { METRICS_TOKEN } from '../../../hack/run/scrape.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import { DEFAULT_USAGE_LIMIT } from '../../../ledger/streams.ts';
import { parseSettings, type Settings } from '../../../policy/config/settings.ts';
import type { ProxyFor } from '../../../proxy/proxy-environment.ts';
import { until } from '../../support/until.ts';
import { type Handover, resolved } from './policies.ts';

/** A gateway in this process, with a ledger of its own in the Redis that it is given. */
export interface Running {
  readonly url: string;
  readonly policy: ActivePolicy;
  readonly ledger: RedisLedger;
  readonly assembly: Assembly;
  /** The upstream that its workspace began with. */
  readonly upstreamURL: string;
  /** Every line that it logged. */
  readonly logs: Record<string, unknown>[];
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly redisUrl: string;
  readonly handover: Handover;
  readonly settings?: Partial<Settings>;
  /** Gateways of the same name share a ledger. */
  readonly installation?: string;
  readonly bodyFolder?: string;
  /** Default: as much as anybody wants. Bytes. */
  readonly bodyFileBytes?: number;
  readonly bodyMemoryBytes?: number;
  readonly upstreamTimeoutMs?: number;
  readonly proxyFor?: ProxyFor;
  readonly arrivalWindowMs?: number;
  /** How many records the usage stream may hold. */
  readonly usageLimit?: number;
  /** What is on its disk; default: nothing. */
  readonly folder?: string;
  /** Default: without TLS. */
  readonly certificate?: Certificate | null;
  /** Milliseconds since the epoch; default: what it is. */
  readonly now?: () => number;
  /** The monotonic clock; default: what it is. Milliseconds. */
  readonly elapsed?: () => number;
}

/** A gateway of a test is in no cluster that still sends it callers. */
export const AT_ONCE: Draining = { shutdownDelayMs: 0, arrivalMs: 1_000 };

/** Starts a gateway that enforces one workspace, once the ledger knows it. */
export async function startGateway({
  redisUrl,
  handover,
  settings = {},
  installation,
  bodyFolder = tmpdir(),
  bodyFileBytes = Infinity,
  bodyMemoryBytes = Infinity,
  upstreamTimeoutMs,
  proxyFor,
  arrivalWindowMs,
  usageLimit = DEFAULT_USAGE_LIMIT,
  folder = mkdtempSync(join(tmpdir(), 'tollgate-write-ahead-log-')),
  certificate = null,
  now = Date.now,
  elapsed = () => performance.now(),
}: StartOptions): Promise<Running> {
  const policy = new ActivePolicy();
  policy.enforce([resolved(handover)]);
  policy.setLoaded();
  const name = installation ?? `t-${randomUUID()}`;
  const ledger = connectLedger({ url: redisUrl, installation: name, epoch: () => 'first', usageLimit });
  await until(() =>
    ledger.operator.establish('first').then(
      () => true,
      () => false,
    ),
  );
  const logs: Record<string, unknown>[] = [];
  const write = (line: string): void => void logs.push(JSON.parse(line) as Record<string, unknown>);
  const assembly = assemble({
    settings: { ...parseSettings(null), ...settings },
    policy,
    ledger: ledger.gateway,
    writeAheadLog: await WriteAheadLog.open(folder, name),
    shards: () => ({ 'tollgate-policy-0': handover.workspace.version }),
    pod: 'gateway',
    metricsToken: METRICS_TOKEN,
    logger: pino({ base: null }, { write }),
    now,
    elapsed,
    newId: randomUUID,
    bodyFolder,
    bodyFileBytes,
    bodyMemoryBytes,
    hasAdminPort: false,
    certificate,
    ...(upstreamTimeoutMs === undefined ? {} : { upstreamTimeoutMs }),
    ...(proxyFor === undefined ? {} : { proxyFor }),
    ...(arrivalWindowMs === undefined ? {} : { arrivalWindowMs }),
  });
  await assembly.heartbeat.beat();
  const port = await assembly.gateway.listen(0);
  return {
    url: `${certificate === null ? 'http' : 'https'}://127.0.0.1:${port}`,
    policy,
    ledger,
    assembly,
    upstreamURL: handover.workspace.baseURL,
    logs,
    stop: async () => {
      await assembly.stop(AT_ONCE);
      ledger.close();
    },
  };
}

/** An answer, read whole. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The connection ended in the middle of the answer. */
  readonly torn: boolean;
}

export interface Asking {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Leaves when this fires. */
  readonly signal?: AbortSignal;
  /** Whose connections are used, which TLS needs; default: those of all calls of the process. */
  readonly agent?: Agent;
}

/** Sends exactly what it is told, as no HTTP client that tidies paths and headers would. */
export function ask(url: string, asking: Asking = {}): Promise<Answer> {
  const { hostname, port, protocol } = new URL(url);
  const { method = 'POST', path = '/v1/messages', headers = {}, body = MESSAGE, signal, agent } = asking;
  const sent = {
    'x-api-key': 'sk-tollgate-api',
    'anthropic-version': '2023-06-01',
    'content-type': 'application/json',
    ...headers,
  };
  const given = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== ''));
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        protocol,
        hostname,
        port,
        path,
        method,
        headers: given,
        ...(signal ? { signal } : {}),
        ...(agent ? { agent } : {}),
      },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk: Buffer) => chunks.push(chunk));
        res.on('error', () => undefined);
        res.on('close', () =>
          resolve({
            status: res.statusCode ?? 0,
            headers: res.headers,
            text: Buffer.concat(chunks).toString(),
            torn: !res.complete,
          }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(method === 'POST' ? body : undefined);
  });
}

/** The body of a small call. */
export function message(rest: Record<string, unknown> = {}): string {
  return JSON.stringify({
    model: 'claude-sonnet-5-5',
    max_tokens: 100,
    messages: [{ role: 'user', content: 'Hello' }],
    ...rest,
  });
}

const MESSAGE = message();

/** The error of a refusal. */
export function errorOf(answer: Answer): { type: string; message: string; [field: string]: unknown } {
  return (JSON.parse(answer.text) as { error: { type: string; message: string } }).error;
}
