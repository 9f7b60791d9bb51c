import { setTimeout as sleep } from 'node:timers/promises';
import { settingsOf } from '../../config/settings-file.ts';
import { KubeClient } from '../../kube/client.ts';
import { connect } from '../../kube/connect.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import type { LedgerUnreachable } from '../../ledger/ledger.ts';
import { connectLedger } from '../../ledger/redis/redis-ledger.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { Config } from './config.ts';
import { type Diagnosis, examine } from './doctor.ts';
import { type LedgerWay, Installation } from './installation.ts';
import { configMaps, type Holder } from './kube-kinds.ts';

/** How long Redis may take to let us in. Milliseconds. */
const CONNECT_MS = 5_000;

interface Senses {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Gives [0, 1). */
  readonly random: () => number;
  /** Is told what is looked at next. */
  readonly onStep?: (check: string) => void;
}

/** Goes to an installation, looks at everything and leaves. Throws where the API server cannot be reached at all. */
export async function runDoctor(config: Config, { now, random, onStep }: Senses): Promise<readonly Diagnosis[]> {
  const { namespace, databaseUrl } = config;
  const client = new KubeClient({
    connection: await connect(config.kubeconfig, config.pod, config.context),
    random,
  });
  let way: LedgerWay | undefined;
  try {
    const settings = await findSettings(config, client);
    way = await ledgerOf(config, settings);
    const patient = new Installation({ client, namespace, settings, way, databaseUrl, now });
    return await examine(patient, onStep ?? (() => {}));
  } finally {
    way?.ledger.close();
    await client.close();
  }
}

/** The settings of the file that was named, else of the chart's ConfigMap, else the defaults. */
async function findSettings({ settings, namespace }: Config, client: KubeClient): Promise<Settings> {
  const text = settings ?? (await chartSettings(client, namespace));
  return { ...settingsOf(text), namespace };
}

async function chartSettings(client: KubeClient, namespace: string): Promise<string | undefined> {
  try {
    return (await client.get<Holder>(configMaps, { namespace, name: 'tollgate-settings' })).data?.['settings.yaml'];
  } catch (error) {
    if (isKubeError(error, 'NotFound', 'Forbidden')) return undefined;
    throw error;
  }
}

/** Waits a while for the connection. */
async function ledgerOf({ redisUrl, redisCa }: Config, settings: Settings): Promise<LedgerWay | undefined> {
  if (redisUrl === undefined) return undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  let trouble: string | undefined = 'no connection';
  const onReachable = (isReachable: boolean, error?: LedgerUnreachable) => {
    trouble = isReachable ? undefined : error?.message;
    if (isReachable) resolve();
  };
  const { installation } = settings;
  const ledger = connectLedger({ url: redisUrl, ca: redisCa, installation, epoch: () => null, onReachable });
  const giveUp = new AbortController();
  const { signal } = giveUp;
  await Promise.race([promise, sleep(CONNECT_MS, undefined, { signal }).catch(() => undefined)]);
  giveUp.abort();
  return { ledger, trouble };
}
