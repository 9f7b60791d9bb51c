import type { KubeClient } from '../../kube/client.ts';
import { type EndpointSlice, endpointSlices, servingPods } from '../../kube/endpoint-slices.ts';
import type { RedisLedger } from '../../ledger/redis/connect-ledger.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { type Pod, pods } from './kube-kinds.ts';
import { type PolicyShards, readPolicyShards } from './policy-shards.ts';

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
  /** Undefined if no database was named. Contains the password: never print it. */
  readonly databaseUrl: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The installation that is checked. What several checks need is read once. */
export class Installation implements InstallationAccess {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly settings: Settings;
  readonly redis: LedgerConnection | undefined;
  readonly databaseUrl: string | undefined;
  readonly now: () => number;
  #pods: Promise<readonly Pod[]> | undefined;
  #serving: Promise<readonly string[]> | undefined;
  #shards: Promise<PolicyShards> | undefined;

  constructor({ client, namespace, settings, redis, databaseUrl, now }: InstallationAccess) {
    this.client = client;
    this.namespace = namespace;
    this.settings = settings;
    this.redis = redis;
    this.databaseUrl = databaseUrl;
    this.now = now;
  }

  /** Undefined if no Redis was named. */
  get ledger(): RedisLedger | undefined {
    return this.redis?.ledger;
  }

  /** The Pods of the installation. */
  pods(): Promise<readonly Pod[]> {
    const query = { namespace: this.namespace, labelSelector: 'app.kubernetes.io/name=tollgate' };
    return (this.#pods ??= this.client.list<Pod>(pods, query).then(({ items }) => items));
  }

  /** The names of the ready Pods behind the gateway's Service. */
  serving(): Promise<readonly string[]> {
    const query = { namespace: this.namespace, labelSelector: 'kubernetes.io/service-name=tollgate-gateway' };
    return (this.#serving ??= this.client
      .list<EndpointSlice>(endpointSlices, query)
      .then(({ items }) => servingPods(items)));
  }

  /** The shards that the operator has written for the gateways. */
  shards(): Promise<PolicyShards> {
    return (this.#shards ??= readPolicyShards(this));
  }
}
