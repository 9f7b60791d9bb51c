import type { LogPlace } from '../../config/log-place.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type EndpointSlice, endpointSlices, servingPods } from '../../kube/kinds.ts';
import type { RedisLedger } from '../../ledger/redis/connect-ledger.ts';
import { LogUnreachable, type ReadQuery } from '../../log/database/database.ts';
import { readLog } from '../../log/database/read-log.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { ProxyFor } from '../../proxy/proxy-environment.ts';
import { type Pod, pods } from './kube-kinds.ts';
import { readPolicyShards } from './policy-shards.ts';

/** The ledger, and why Redis could not be reached; undefined if it answers. */
export interface LedgerConnection {
  readonly ledger: RedisLedger;
  readonly problem: string | undefined;
}

/** How the parts of an installation are reached. */
export interface InstallationAccess {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly settings: Settings;
  /** Undefined if no Redis was named. */
  readonly redis: LedgerConnection | undefined;
  /** Undefined if no Redis was named. Contains the password: never print it. */
  readonly redisUrl: string | undefined;
  /** Undefined if no database was named. Contains the password: never print it. */
  readonly databaseUrl: string | undefined;
  /** Where the operator keeps the usage log if it has no database; undefined if no folder was named. */
  readonly usageLogFolder: string | undefined;
  /** The ways to upstreams that the environment names. Their URLs may contain a password: print their hosts only. */
  readonly proxies: { readonly inForce: ProxyFor; readonly withoutExceptions: ProxyFor };
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export type CheckedInstallation = ReturnType<typeof checkedInstallation>;

/** What several checks need is read when the first of them asks, and only once. */
export function checkedInstallation(access: InstallationAccess) {
  const { client, namespace, redis } = access;
  const listed = (label: string) => ({ namespace, labelSelector: label });
  return {
    ...access,
    /** Undefined if no Redis was named. */
    ledger: redis?.ledger,
    /** Runs a SELECT on the usage log. Undefined if neither a database nor a folder was named. */
    queryLog: logQuery(access),
    pods: once(async () => (await client.list<Pod>(pods, listed('app.kubernetes.io/name=tollgate'))).items),
    /** The names of the ready Pods behind the gateway's Service. */
    serving: once(async () => {
      const ofGateway = listed('kubernetes.io/service-name=tollgate-gateway');
      return servingPods((await client.list<EndpointSlice>(endpointSlices, ofGateway)).items);
    }),
    /** The shards that the operator has written for the gateways. */
    shards: once(() => readPolicyShards(access)),
  };
}

function logQuery({ databaseUrl: url, usageLogFolder: folder }: InstallationAccess): ReadQuery | undefined {
  const place: LogPlace | undefined = url !== undefined ? { url } : folder !== undefined ? { folder } : undefined;
  if (place === undefined) return undefined;
  return async <Row>(sql: string) => {
    try {
      return (await readLog(place, sql)) as readonly Row[];
    } catch (error) {
      // The process that has a folder open answers with a message only.
      throw new LogUnreachable((error as Error).message);
    }
  };
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= read());
}
