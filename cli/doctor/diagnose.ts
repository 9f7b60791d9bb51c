import { setTimeout as sleep } from 'node:timers/promises';
import { settingsOf } from '../../config/settings-file.ts';
import { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { type ConfigMap, configMaps } from '../../kube/kinds.ts';
import { undefinedIf } from '../../kube/kube-error.ts';
import type { LedgerUnreachable } from '../../ledger/ledger.ts';
import { connectLedger } from '../../ledger/redis/connect-ledger.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { type LedgerConnection, checkedInstallation } from './checked-installation.ts';
import type { Config } from './config.ts';
import { type Diagnosis, runChecks } from './run-checks.ts';

/** How long to wait for the connection to Redis. Milliseconds. */
const CONNECT_MS = 5_000;

interface DoctorOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Gives [0, 1). */
  readonly random: () => number;
  /** Called with the name of each check before it runs. */
  readonly onStep?: (check: string) => void;
}

/** Connects to an installation, runs all checks and disconnects. Throws if the API server cannot be reached. */
export async function diagnose(config: Config, { now, random, onStep }: DoctorOptions): Promise<readonly Diagnosis[]> {
  const { namespace, redisUrl, databaseUrl, usageLogFolder, proxies } = config;
  const client = new KubeClient({ connection: await connect(config.kubeconfig, config.pod, config.context), random });
  let redis: LedgerConnection | undefined;
  try {
    const settings = await readSettings(config, client);
    redis = await connectToRedis(config, settings);
    const installation = checkedInstallation({
      client,
      namespace,
      settings,
      redis,
      redisUrl,
      databaseUrl,
      usageLogFolder,
      proxies,
      now,
    });
    return await runChecks(installation, onStep ?? (() => {}));
  } finally {
    redis?.ledger.close();
    await client.close();
  }
}

/** The settings of the named file, else of the chart's ConfigMap, else the defaults. */
async function readSettings({ settings, namespace }: Config, client: KubeClient): Promise<Settings> {
  const chart = async () =>
    client
      .get<ConfigMap>(configMaps, { namespace, name: 'tollgate-settings' })
      .catch(undefinedIf('NotFound', 'Forbidden'));
  const text = settings ?? (await chart())?.data?.['settings.yaml'];
  return { ...settingsOf(text), namespace };
}

/** Waits up to CONNECT_MS for the connection; undefined if no Redis was named. */
async function connectToRedis(
  { redisUrl, redisCa }: Config,
  { installation }: Settings,
): Promise<LedgerConnection | undefined> {
  if (redisUrl === undefined) return undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  let problem: string | undefined = 'no connection';
  const onReachable = (isReachable: boolean, error?: LedgerUnreachable) => {
    problem = isReachable ? undefined : error?.message;
    if (isReachable) resolve();
  };
  const ledger = connectLedger({ url: redisUrl, ca: redisCa, installation, epoch: () => null, onReachable });
  const timeout = new AbortController();
  const { signal } = timeout;
  await Promise.race([promise, sleep(CONNECT_MS, undefined, { signal }).catch(() => undefined)]);
  timeout.abort();
  return { ledger, problem };
}
