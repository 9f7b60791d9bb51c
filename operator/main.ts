import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { KubeClient } from '../kube/client.ts';
import { connect } from '../kube/connect.ts';
import { connectLedger } from '../ledger/redis/redis-ledger.ts';
import { openDatabase } from '../log/database/open-database.ts';
import manifest from '../package.json' with { type: 'json' };
import { openTelemetry } from '../telemetry/open-telemetry.ts';
import { waitForCrds } from './cluster/wait-for-crds.ts';
import { type Config, readConfig } from './config.ts';
import { serveHealth } from './health.ts';
import { assemble, type Operator } from './operator.ts';

const log = pino({ name: 'tollgate-operator', base: null });

try {
  await run(readConfig(process.env));
} catch (error) {
  log.fatal({ err: error }, 'the operator cannot start');
  process.exit(1);
}

async function run(config: Config): Promise<void> {
  log.level = config.logLevel;
  log.setBindings({ pod: config.pod });
  const client = new KubeClient({
    connection: await connect(config.kubeconfig, process.env),
    random: Math.random,
  });
  let isLedgerFound = false;
  const ledger = connectLedger({
    url: config.redisUrl,
    ca: config.redisCa,
    installation: config.settings.installation,
    epoch: () => operator.expectedEpoch(),
    onReachable: (reachable, error) => {
      isLedgerFound ||= reachable;
      log.info({ reachable, reason: error?.message }, 'ledger');
    },
  });
  const operator: Operator = assemble({
    settings: config.settings,
    client,
    ledger,
    openLog: () => openDatabase(config.logPlace),
    shippedPrices: config.shippedPrices,
    identity: `${config.pod}_${randomUUID()}`,
    log,
    clock: Date.now,
    elapsed: () => performance.now(),
    random: Math.random,
    randomBytes,
    newId: randomUUID,
    hash: (text) => createHash('sha256').update(text).digest('hex'),
  });
  const { metrics, isAlive } = operator;
  const telemetry = await openTelemetry(config.telemetry, {
    service: 'tollgate-operator',
    version: manifest.version,
    pod: config.pod,
    clock: Date.now,
    onProblem: (problem) => log.warn({ problem }, 'telemetry cannot be sent'),
  });
  telemetry?.measure(metrics.registry);
  const notReady = (): string | null => {
    if (!operator.isReady()) return 'the caches are not filled yet';
    // Once is enough: an upgrade with a wrong address takes nobody's place, and a ledger that is down makes nobody leave.
    return isLedgerFound ? null : 'the ledger has not answered yet: is REDIS_URL right?';
  };
  const { server, port } = await serveHealth({ port: config.port, registry: metrics.registry, isAlive, notReady });
  log.info({ port }, 'listening');
  await waitForCrds({ client, elapsed: () => performance.now() });
  operator.start();
  const stop = async (): Promise<void> => {
    log.info('stopping');
    await operator.stop();
    await telemetry?.stop();
    await client.close();
    ledger.close();
    server.close();
    server.closeAllConnections();
    process.exit(); // a client of a cluster that is closed while it asks for the slots keeps a timer for ever
  };
  process.removeAllListeners('SIGTERM'); // until here there was nothing to finish
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());
}
