import type { KubeClient } from '../../kube/client.ts';
import { type EndpointSlice, endpointSlices, servingPods } from '../../kube/endpoint-slices.ts';
import type { RedisLedger } from '../../ledger/redis/redis-ledger.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { type Pod, pods } from './kube-kinds.ts';
import { type PolicyShards, readPolicyShards } from './policy-shards.ts';

/** The ledger, and why it could not be reached where it could not. */
export interface LedgerWay {
  readonly ledger: RedisLedger;
  readonly trouble: string | undefined;
}

/** The installation that is looked at, and the ways in. */
export interface Ways {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly settings: Settings;
  /** Undefined where nobody said how Redis is reached. */
  readonly way: LedgerWay | undefined;
  /** Undefined where nobody said. With the password in it: never print it. */
  readonly databaseUrl: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** An installation under examination: what several checks look at is read once. */
export class Installation implements Ways {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly settings: Settings;
  readonly way: LedgerWay | undefined;
  readonly databaseUrl: string | undefined;
  readonly now: () => number;
  #pods: Promise<readonly Pod[]> | undefined;
  #serving: Promise<readonly string[]> | undefined;
  #written: Promise<PolicyShards> | undefined;

  constructor({ client, namespace, settings, way, databaseUrl, now }: Ways) {
    this.client = client;
    this.namespace = namespace;
    this.settings = settings;
    this.way = way;
    this.databaseUrl = databaseUrl;
    this.now = now;
  }

  /** Undefined where nobody said how Redis is reached. */
  get ledger(): RedisLedger | undefined {
    return this.way?.ledger;
  }

  /** The Pods of the installation. */
  pods(): Promise<readonly Pod[]> {
    const query = { namespace: this.namespace, labelSelector: 'app.kubernetes.io/name=tollgate' };
    return (this.#pods ??= this.client.list<Pod>(pods, query).then(({ items }) => items));
  }

  /** The names of the Pods that serve behind the gateway's Service. */
  serving(): Promise<readonly string[]> {
    const query = { namespace: this.namespace, labelSelector: 'kubernetes.io/service-name=tollgate-gateway' };
    return (this.#serving ??= this.client
      .list<EndpointSlice>(endpointSlices, query)
      .then(({ items }) => servingPods(items)));
  }

  /** What the operator has written for the gateways. */
  written(): Promise<PolicyShards> {
    return (this.#written ??= readPolicyShards(this));
  }
}
