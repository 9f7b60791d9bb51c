import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { KubeClient } from '../kube/client.ts';
import { connect } from '../kube/connect.ts';
import { connectLedger } from '../ledger/redis/connect-ledger.ts';
import manifest from '../package.json' with { type: 'json' };
import { escapeLine } from '../policy/core/plain-text.ts';
import { startTelemetry } from '../telemetry/start-telemetry.ts';
import { WriteAheadLog } from './admission/write-ahead-log.ts';
import { assemble } from './assembly.ts';
import { type Config, readConfig } from './config.ts';
import { Certificate } from './http/certificate.ts';
import { type Draining, listen } from './http/server.ts';
import { ActivePolicy } from './policy/active-policy.ts';
import { PolicyWatcher } from './policy/policy-watcher.ts';

/** How long a batch of 256 MB takes at 4 MB a second. Milliseconds. */
const ARRIVAL_MS = 64_000;

// Log lines are written in groups, at least once a second; a gateway that is killed loses those of its last second.
const output = pino.destination({ dest: 1, sync: false, minLength: 8192 });
const flushing = setInterval(() => output.flush(), 1000);
const timestamp = (): string => `,"timestamp":"${new Date().toISOString()}"`;
const logger = pino({ base: null, timestamp, hooks: { streamWrite: escapeLine } }, output);

try {
  await run(readConfig(process.env));
} catch (error) {
  logger.fatal({ err: error }, 'the gateway cannot start');
  exit(1);
}

function exit(code: number): never {
  clearInterval(flushing);
  output.flushSync();
  process.exit(code);
}

/** Under `ledgerLoss: Open`, fails at once if the folder cannot be written, and not only in an outage. */
async function openWriteAheadLog({ writeAheadLogFolder, pod, settings }: Config): Promise<WriteAheadLog> {
  // Without a configured folder `ledgerLoss` is Closed: nothing is found in a random one, and nothing is written.
  const folder = join(writeAheadLogFolder ?? join(tmpdir(), randomUUID()), pod);
  const log = await WriteAheadLog.open(folder, randomUUID());
  if (settings.ledgerLoss === 'Open') await log.prove();
  return log;
}

async function run(config: Config): Promise<void> {
  const { settings } = config;
  logger.level = config.logLevel;
  const policy = new ActivePolicy();
  const client = new KubeClient({ connection: await connect(config.kubeconfig, process.env), random: Math.random });
  const policyWatcher = new PolicyWatcher({
    client,
    namespace: settings.namespace,
    shards: settings.shards,
    policy,
    random: Math.random,
    onProblem: (shard, problem) =>
      logger.warn({ shard, problem }, 'a policy shard cannot be used; the last valid one stays in force'),
  });
  const ledger = connectLedger({
    url: config.redisUrl,
    ca: config.redisCa,
    installation: settings.installation,
    epoch: () => policyWatcher.epoch,
    usageLimit: settings.usageStreamLimit,
  });
  const telemetry = await startTelemetry(config.telemetry, {
    service: 'tollgate-gateway',
    version: manifest.version,
    pod: config.pod,
    clock: Date.now,
    onProblem: (problem) => logger.warn({ problem }, 'telemetry cannot be sent'),
  });
  const assembly = assemble({
    settings,
    policy,
    ledger: ledger.gateway,
    writeAheadLog: await openWriteAheadLog(config),
    shards: () => policyWatcher.revisions,
    pod: config.pod,
    logger,
    now: Date.now,
    elapsed: () => performance.now(),
    newId: randomUUID,
    proxyFor: config.proxyFor,
    bodyFolder: tmpdir(),
    bodyFileBytes: config.bodyFileBytes,
    bodyMemoryBytes: config.bodyMemoryBytes,
    certificate: config.tlsFolder === undefined ? null : await Certificate.open(config.tlsFolder),
    spans: telemetry?.spans ?? null,
    metricsToken: config.metricsToken,
    hasAdminPort: config.adminPort !== null,
  });
  telemetry?.measure(assembly.metrics.registry);
  policyWatcher.start(() => void assembly.heartbeat.beat());
  if (config.adminPort !== null) await listen(createServer(assembly.admin), config.adminPort);
  const port = await assembly.gateway.listen(config.port);
  logger.info({ port }, 'listening');
  output.flush();
  const leave = async (draining: Draining): Promise<void> => {
    logger.info(draining, 'the gateway is shutting down');
    output.flush();
    await assembly.stop(draining);
    await telemetry?.stop();
    ledger.close();
    await policyWatcher.stop();
    await client.close();
    exit(0);
  };
  let left: Promise<void> | null = null;
  process.removeAllListeners('SIGTERM'); // until here there was nothing to finish
  // Handled each time: a second one, such as from a restarted kubelet, must not end the streams that the first drains.
  process.on(
    'SIGTERM',
    () => void (left ??= leave({ shutdownDelayMs: config.shutdownDelayMs, arrivalMs: ARRIVAL_MS })),
  );
  // A person at the keyboard does not want to wait; a second Ctrl-C ends the process at once.
  process.once('SIGINT', () => void (left ??= leave({ shutdownDelayMs: 0, arrivalMs: 0 })));
}
