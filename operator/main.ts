import { hash, randomBytes, randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { KubeClient } from '../kube/client.ts';
import { connect } from '../kube/connect.ts';
import { connectLedger } from '../ledger/redis/connect-ledger.ts';
import { openDatabase } from '../log/database/open-database.ts';
import manifest from '../package.json' with { type: 'json' };
import { escapeLine } from '../policy/core/plain-text.ts';
import { startTelemetry } from '../telemetry/start-telemetry.ts';
import { serveAdminApp } from './admin-app.ts';
import { assemble } from './assembly.ts';
import { waitForCrds } from './cluster/wait-for-crds.ts';
import { type Config, readConfig } from './config.ts';

const log = pino({ name: 'tollgate-operator', base: null, hooks: { streamWrite: escapeLine } });

try {
  await run(readConfig(process.env));
} catch (error) {
  log.fatal({ err: error }, 'the operator cannot start');
  process.exit(1);
}

async function run(config: Config): Promise<void> {
  log.level = config.logLevel;
  log.setBindings({ pod: config.pod });
  const client = new KubeClient({ connection: await connect(config.kubeconfig, process.env), random: Math.random });
  let hasLedgerAnswered = false;
  const operator = assemble({
    settings: config.settings,
    client,
    connectLedger: (epoch) =>
      connectLedger({
        url: config.redisUrl,
        ca: config.redisCa,
        installation: config.settings.installation,
        epoch,
        onReachable: (reachable, error) => {
          hasLedgerAnswered ||= reachable;
          log.info({ reachable, reason: error?.message }, 'ledger');
        },
      }),
    openLog: () => openDatabase(config.logPlace),
    proxyFor: config.proxyFor,
    shippedPrices: config.shippedPrices,
    identity: `${config.pod}_${randomUUID()}`,
    log,
    clock: Date.now,
    elapsed: () => performance.now(),
    random: Math.random,
    randomBytes,
    newId: randomUUID,
    hash: (text) => hash('sha256', text),
  });
  const { metrics, isAlive } = operator;
  const telemetry = await startTelemetry(config.telemetry, {
    service: 'tollgate-operator',
    version: manifest.version,
    pod: config.pod,
    clock: Date.now,
    onProblem: (problem) => log.warn({ problem }, 'telemetry cannot be sent'),
  });
  telemetry?.measure(metrics.registry);
  const notReady = (): string | null => {
    if (!operator.isReady()) return 'the caches are not filled yet';
    // One answer is enough: a rollout with a wrong address stops, and an outage of Redis makes no running operator unready.
    return hasLedgerAnswered ? null : 'the ledger has not answered yet: is REDIS_URL right?';
  };
  const { metricsToken } = config;
  const { server, port } = await serveAdminApp({
    port: config.port,
    registry: metrics.registry,
    metricsToken,
    isAlive,
    notReady,
  });
  log.info({ port }, 'listening');
  await waitForCrds({
    client,
    elapsed: () => performance.now(),
    onProblem: ({ message }) => log.warn({ problem: message }, 'the API server does not answer; waiting for it'),
  });
  operator.start();
  const stop = async (): Promise<void> => {
    log.info('stopping');
    await operator.stop();
    await telemetry?.stop();
    await client.close();
    server.close();
    server.closeAllConnections();
    process.exit(); // a client of a Redis Cluster that is closed while it asks for the slots leaves a timer
  };
  process.removeAllListeners('SIGTERM'); // replaces the immediate exit of a process that has nothing to finish
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
}
