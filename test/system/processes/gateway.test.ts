import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { freePort } from '../../../hack/services/ports.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { CompiledBudget } from '../../../policy/core/compiled-policy.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import { openTelemetry } from '../../../telemetry/open-telemetry.ts';
import { startUpstream, type Upstream } from '../../fakes/upstream/upstream.ts';
import { cluster } from '../../support/cluster.ts';
import { startReceiver } from '../../support/otlp.ts';
import { startProxy } from '../../support/proxy.ts';
import { startRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { type Answer, ask, errorOf, message } from '../gateway/harness.ts';
import { budget, handover, type WorkspaceOptions } from '../gateway/policies.ts';
import { writeShards } from '../gateway/shards.ts';

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

interface Installation {
  readonly ledger: RedisLedger;
  /** Starts a gateway process and resolves to its URL once it is ready. */
  readonly start: (kubeconfig?: string) => Promise<{ url: string; child: ChildProcess }>;
  /** The same with a name of its own, and without waiting until it is ready. */
  readonly launch: (pod: string, kubeconfig?: string) => Promise<{ url: string; child: ChildProcess }>;
  /** Hands over the next version of the workspace. */
  readonly apply: (workspace: Partial<WorkspaceOptions>) => Promise<void>;
}

/** An installation of its own: a namespace with the shards, and keys of its own in Redis. */
async function installation(
  first: Partial<WorkspaceOptions>,
  settings: Record<string, unknown> = {},
  /** How the gateways reach it. */
  redisUrl: string = redis.url,
  /** What they are told besides. */
  told: Record<string, string> = {},
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
      POD_NAME: pod,
      PORT: '0',
      REDIS_URL: redisUrl,
      TOLLGATE_SETTINGS: settingsFile,
      ...told,
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

function isReady(url: string): Promise<boolean> {
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

async function counterOf(ledger: RedisLedger, one: CompiledBudget) {
  const { now } = await ledger.operator.state();
  const [reading] = await ledger.operator.read([budgetFiguresQuery(one, now)]);
  return reading!;
}

const books = (): bigint => BigInt(upstream.books().total.nanoUsd);
const quiet = (ledger: RedisLedger, one: CompiledBudget, ms = 10_000): Promise<boolean> =>
  until(async () => {
    const { total } = await counterOf(ledger, one);
    return total.committedNano === total.certainNano;
  }, ms);

test('three bursts of a hundred calls on three gateways spend a budget to the last whole call', async () => {
  const pennies = budget('pennies', '0.50');
  const { ledger, start } = await installation({ budgets: [pennies] });
  const gateways = await Promise.all([start(), start(), start()]);
  // 250 × $2 and 1,750 × $10 a million: $0.018 a call.
  const headers = { 'x-stand-in': JSON.stringify({ usage: { input_tokens: 250, output_tokens: 1750 } }) };
  const body = message({ max_tokens: 1750, messages: [{ role: 'user', content: 'Hello. '.repeat(30) }] });
  const answers = await Promise.all(
    gateways.flatMap(({ url }) => Array.from({ length: 100 }, () => ask(url, { body, headers }))),
  );
  await quiet(ledger, pennies);
  expect(upstream.books().total).toMatchObject({ calls: 27, usd: '0.486000000' });
  expect((await counterOf(ledger, pennies)).total).toMatchObject({ spentNano: 486_000_000n, requests: 27 });
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(27);
  const refused = answers.filter(({ status }) => status !== 200);
  expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([429]));
});

test('budgets that overlap hold together, whatever the calls cost', async () => {
  const budgets = [
    budget('workspace', '0.30'),
    budget('opus', '0.12', { scope: { models: ['claude-opus-*'] } }),
    budget('customers', '0.05', { per: ['customer'], totalNano: 200_000_000n }),
  ];
  const organisation = budget('organisation', '0.28', {
    namespace: 'tollgate-system',
    period: { every: 'Year', timeZone: 'UTC' },
  });
  const { ledger, start } = await installation({ budgets, spanning: [organisation] });
  const gateways = await Promise.all([start(), start()]);
  const call = (_: unknown, index: number) => {
    const output = 1 + ((index * 7919) % 200);
    const model = index % 3 === 0 ? 'claude-opus-5-5' : 'claude-sonnet-5-5';
    const headers = {
      'x-tollgate-customer': `customer-${index % 5}`,
      'x-stand-in': JSON.stringify({ usage: { output_tokens: output }, latencyMs: index % 20 }),
    };
    return ask(gateways[index % 2]!.url, {
      body: message({ model, max_tokens: 200, stream: index % 2 === 0 }),
      headers,
    });
  };
  const answers = await Promise.all(Array.from({ length: 400 }, call));
  for (const one of [...budgets, organisation]) await quiet(ledger, one);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
  const spent = await Promise.all([...budgets, organisation].map((one) => counterOf(ledger, one)));
  expect(spent[0]!.total.spentNano).toBe(books());
  expect(spent[3]!.total.spentNano).toBe(books());
  for (const [index, one] of [...budgets, organisation].entries()) {
    expect(spent[index]!.total.spentNano).toBeLessThanOrEqual(one.totalNano ?? one.limitNano);
  }
  for (const { spentNano } of spent[2]!.values) expect(spentNano).toBeLessThanOrEqual(50_000_000n);
  expect(spent[2]!.values).toHaveLength(5);
});

test('a gateway that is killed with fifty open streams leaves nothing unaccounted', async () => {
  const daily = budget('daily', '0.07');
  const { ledger, start } = await installation({ budgets: [daily] });
  const { url, child } = await start();
  const headers = { 'x-stand-in': JSON.stringify({ holdAfter: 1 }) };
  const asked = Array.from({ length: 50 }, () =>
    ask(url, { body: message({ stream: true }), headers }).catch(() => null),
  );
  await until(() => upstream.books().open === 50);
  child.kill('SIGKILL');
  await Promise.all(asked);
  const next = await start();
  await quiet(ledger, daily, 30_000);
  const { total } = await counterOf(ledger, daily);
  expect((await ledger.operator.state()).presumedCount).toBe(50);
  expect(total.certainNano).toBeGreaterThanOrEqual(books());
  expect(total.certainNano).toBeLessThanOrEqual(70_000_000n);
  // What is presumed cannot be spent again.
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(next.url)));
  expect(answers.filter(({ status }) => status === 200).length).toBeLessThan(60);
  await quiet(ledger, daily);
  expect((await counterOf(ledger, daily)).total.certainNano).toBeLessThanOrEqual(70_000_000n);
});

test('three gateways go on without Redis, one of them killed and restarted, and all is booked exactly once', async () => {
  const proxy = await startProxy(redis.port);
  const way = redis.url.replace(`:${redis.port}`, `:${proxy.port}`);
  const daily = budget('daily', '25.00');
  const { ledger, launch } = await installation({ budgets: [daily] }, { ledgerLoss: 'Open', waitSeconds: 1 }, way);
  const gateways = await Promise.all(['one', 'two', 'three'].map((pod) => launch(pod)));
  await Promise.all(gateways.map(({ url }) => isReady(url)));
  const loads = gateways.map(({ url }) => loadOn(url));
  await sleep(500);
  await proxy.cut();
  await sleep(2_500);
  await until(() => loads[0]!.answered() > 20);
  const whole = await loads[0]!.stop();
  // Four streams of which the killed gateway alone knows, each with ten tokens of output when it dies.
  const body = message({ stream: true });
  const headers = { 'x-stand-in': JSON.stringify({ holdAfter: 1 }) };
  const held = Array.from({ length: 4 }, () => ask(gateways[0]!.url, { body, headers }).catch(() => null));
  await until(async () => (await metricOf(gateways[0]!.url, 'tollgate_upstream_calls')) === 4);
  await sleep(500); // what it has answered is on its disk
  gateways[0]!.child.kill('SIGKILL');
  await Promise.all(held);
  const seen = 4n * (BigInt(Math.ceil(body.length / 4)) * 2_000n + 10n * 10_000n);
  gateways[0] = await launch('one');
  loads[0] = loadOn(gateways[0].url);
  await sleep(2_500);
  await proxy.mend();
  await Promise.all(gateways.map(({ url }) => isReady(url)));
  await sleep(500);
  await until(() => loads.every((load) => load.answered() > 20));
  const counts = await Promise.all(loads.map((load) => load.stop()));
  for (const { url } of gateways)
    await until(async () => (await metricOf(url, 'tollgate_write_ahead_log_calls')) === 0);
  await quiet(ledger, daily, 30_000);
  const { total } = await counterOf(ledger, daily);
  expect(total.requests).toBe(counts.reduce((sum, count) => sum + count, whole));
  expect(total.spentNano).toBe(books() - seen);
  expect((await ledger.operator.state()).presumedCount).toBe(4);
  expect(total.certainNano - total.spentNano).toBeGreaterThan(seen);
  await proxy.stop();
});

/** Calls as long as it is let, four at a time, streams and whole answers; `stop` resolves to how many were answered. */
function loadOn(url: string): { answered: () => number; stop: () => Promise<number> } {
  const stopped = new AbortController();
  let answered = 0;
  const caller = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const { status } = await ask(url, { body: message({ stream: answered % 2 === 0 }) });
      if (status === 200) answered += 1;
      else await sleep(50);
    }
  };
  const callers = Promise.all(Array.from({ length: 4 }, caller));
  return {
    answered: () => answered,
    stop: async () => {
      stopped.abort();
      await callers;
      return answered;
    },
  };
}

async function metricOf(url: string, name: string): Promise<number> {
  const { text } = await ask(url, { method: 'GET', path: '/metrics' });
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)![1]);
}

test('an edit is enforced at once, half of it never, and without the API server the last one stays', async () => {
  const { start, apply } = await installation({ budgets: [budget('daily', '25.00')] });
  const proxy = await proxyOf(cluster().kubeconfig);
  const { url, child } = await start(proxy.kubeconfig);
  expect((await ask(url)).status).toBe(200);
  await apply({ budgets: [budget('daily', '0')] });
  await until(async () => (await ask(url)).status === 429);
  await apply({ budgets: [budget('daily', '1.00')] });
  await until(async () => (await ask(url)).status === 200);
  proxy.cut();
  await apply({ budgets: [budget('daily', '0')], keys: { api: 'sk-tollgate-other' } });
  expect((await ask(url)).status).toBe(200);
  await proxy.mend();
  await until(async () => (await ask(url)).status === 401);
  expect(errorOf(await ask(url, { headers: { 'x-api-key': 'sk-tollgate-other' } })).type).toBe('budget_exceeded');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
  proxy.cut();
});

test('a gateway that is replaced under load fails no call and cuts no stream', async () => {
  const { start, ledger } = await installation({ budgets: [budget('daily', '25.00')] }, {}, redis.url, {
    TOLLGATE_SHUTDOWN_DELAY_SECONDS: '3',
  });
  const { url, child } = await start();
  const headers = { 'x-stand-in': JSON.stringify({ holdAfter: 1 }) };
  const streams = new Agent({ keepAlive: true });
  const held = Array.from({ length: 20 }, () => ask(url, { body: message({ stream: true }), headers, agent: streams }));
  await until(() => upstream.books().open === 20);
  const pool = new Agent({ keepAlive: true });
  const answers: Answer[] = [];
  const over = new AbortController();
  const caller = async (): Promise<void> => {
    while (!over.signal.aborted) answers.push(await ask(url, { agent: pool }));
  };
  const callers = Promise.all(Array.from({ length: 4 }, caller));
  await until(() => answers.length > 20);
  expect(answers.at(-1)!.headers['connection']).toBe('keep-alive');
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await until(() => answers.at(-1)!.headers['connection'] === 'close');
  const ready = await ask(url, { method: 'GET', path: '/readyz' });
  expect([ready.status, ready.text]).toEqual([503, 'the gateway leaves\n']);
  // As of a kubelet that was restarted meanwhile.
  child.kill('SIGTERM');
  // Calls still come, on connections old and new, until the whole cluster has heard that the Pod goes.
  const before = answers.length;
  await until(() => answers.length > before + 20);
  over.abort();
  await callers;
  expect(answers.filter(({ status, torn }) => status !== 200 || torn)).toEqual([]);
  await until(() =>
    ask(url).then(
      () => false,
      ({ code }: NodeJS.ErrnoException) => code === 'ECONNREFUSED',
    ),
  );
  upstream.release();
  for (const stream of await Promise.all(held)) expect(stream.text).toContain('message_stop');
  // Their connections are good for as long as callers were told.
  const late = await ask(url, { agent: streams });
  expect([late.status, late.headers['connection']]).toEqual([200, 'close']);
  expect(await ended).toEqual([0, null]);
  pool.destroy();
  expect((await counterOf(ledger, budget('daily', '25.00'))).total.spentNano).toBe(books());
});

test('metrics and a span of each call go out by OTLP, and a receiver that is away holds nobody up', async () => {
  const receiver = await startReceiver();
  const { start } = await installation({ budgets: [budget('daily', '25.00')] }, {}, redis.url, {
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=sesame',
    OTEL_METRIC_EXPORT_INTERVAL: '500',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  });
  const { url, child } = await start();
  const [trace, parent] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  const traceparent = { traceparent: `00-${trace}-${parent}-01` };
  const answer = await ask(url, { headers: { ...traceparent, 'x-tollgate-user': 'ada' } });
  expect((await ask(url, { body: message({ model: 'claude-nobody' }) })).status).toBe(400);
  await until(() => receiver.spans.length === 2, 30_000);
  // A span is made once its call is booked, which may be after the next call.
  const [called, refused] = receiver.spans.toSorted((a, b) => a.startMs - b.startMs);
  expect(called).toMatchObject({
    traceId: trace,
    parentSpanId: parent,
    name: 'chat claude-sonnet-5-5',
    isError: false,
    resource: { 'service.name': 'tollgate-gateway', 'deployment.environment.name': 'test' },
    attributes: {
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.request.model': 'claude-sonnet-5-5',
      'gen_ai.usage.output_tokens': expect.any(Number),
      'http.response.status_code': 200,
      'tollgate.workspace': 'payments/checkout',
      'tollgate.cost_usd': Number(answer.headers['x-tollgate-cost-usd']),
    },
  });
  expect(called!.endMs).toBeGreaterThan(called!.startMs);
  expect(JSON.stringify(called)).not.toContain('ada');
  expect(refused).toMatchObject({
    isError: true,
    attributes: { 'tollgate.refusal': 'ModelUnknown', 'error.type': 'ModelUnknown' },
  });
  // A series is sent with 0 before its first call is booked.
  const cost = await until(() =>
    receiver.metrics.get('tollgate_cost_usd_total')?.points.find(({ value }) => value > 0),
  );
  expect(cost.value).toBeCloseTo(Number(answer.headers['x-tollgate-cost-usd']), 9);
  expect(receiver.metrics.get('tollgate_cost_usd_total')).toMatchObject({ kind: 'sum', isMonotonic: true });
  expect(receiver.metrics.get('tollgate_ledger_up')).toMatchObject({ kind: 'gauge', points: [{ value: 1 }] });
  const added = receiver.metrics.get('tollgate_added_latency_seconds')!.points[0]!;
  expect(added.counts).toHaveLength(added.bounds.length + 1);
  expect(added.counts.reduce((sum, count) => sum + count)).toBe(1);
  expect(receiver.headers.every((headers) => headers['x-collector-key'] === 'sesame')).toBe(true);
  receiver.close();
  expect((await ask(url)).status).toBe(200);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('telemetry is loaded only where it is asked for', async () => {
  const options = { service: 'test', version: '0', pod: 'p', clock: Date.now, onProblem: () => undefined };
  expect(await openTelemetry(null, options)).toBeNull();
});

/** A way to the API server that can be cut. */
async function proxyOf(kubeconfig: string) {
  const config = readFileSync(kubeconfig, 'utf8');
  const server = /https:\/\/127\.0\.0\.1:(\d+)/.exec(config)![1]!;
  const sockets = new Set<Socket>();
  let proxy: Server;
  const port = await freePort();
  const open = async (): Promise<void> => {
    proxy = createServer((near) => {
      const far = connect(Number(server), '127.0.0.1');
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from
          .on('error', () => to.destroy())
          .on('close', () => to.destroy())
          .pipe(to);
      }
    });
    proxy.listen(port, '127.0.0.1');
    await once(proxy, 'listening');
  };
  await open();
  const file = join(mkdtempSync(join(tmpdir(), 'tollgate-proxy-')), 'kubeconfig');
  writeFileSync(file, config.replaceAll(`127.0.0.1:${server}`, `127.0.0.1:${port}`));
  return {
    kubeconfig: file,
    cut: () => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    },
    mend: open,
  };
}
