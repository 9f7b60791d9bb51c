import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { KubeClient, Query } from '../../kube/client.ts';
import { type EndpointSlice, endpointSlices } from '../../kube/endpoint-slices.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import { type OnChange, Reflector } from '../../kube/reflector.ts';
import { SHARED_SHARD, shardNames } from '../../policy/compile/shards.ts';
import type { Settings } from '../../policy/config/settings.ts';
import * as kinds from './kube-kinds.ts';

/** What there is one cache of. */
interface Kinds {
  readonly workspaces: ClaudeWorkspace;
  readonly budgets: ClaudeBudget;
  readonly namespaces: KubeObject;
  readonly upstreamSecrets: kinds.Secret;
  readonly keySecrets: kinds.Secret;
  readonly endpoints: EndpointSlice;
  readonly prices: kinds.ConfigMap;
  readonly memory: kinds.ConfigMap;
}

/** Who is told of the changes of each cache. */
export type Listeners = { readonly [K in keyof Kinds]: OnChange<Kinds[K]> } & {
  /** A shard, a ConfigMap or a Secret. */
  readonly shard: OnChange<kinds.Secret>;
};

interface WorldOptions {
  readonly client: KubeClient;
  readonly settings: Settings;
  readonly random: () => number;
  readonly onProblem: (what: string, error: unknown) => void;
  readonly listeners: Listeners;
}

/** Everything that the operator reads from the API server, cached and followed. */
export class Informers implements Readonly<{ [K in keyof Kinds]: Reflector<Kinds[K]> }> {
  readonly workspaces: Reflector<ClaudeWorkspace>;
  readonly budgets: Reflector<ClaudeBudget>;
  readonly namespaces: Reflector<KubeObject>;
  readonly upstreamSecrets: Reflector<kinds.Secret>;
  readonly keySecrets: Reflector<kinds.Secret>;
  readonly endpoints: Reflector<EndpointSlice>;
  readonly prices: Reflector<kinds.ConfigMap>;
  readonly memory: Reflector<kinds.ConfigMap>;
  readonly #all: Reflector<never>[] = [];

  constructor(options: WorldOptions) {
    const { settings, listeners } = options;
    const { namespace } = settings;
    const follow = <T extends KubeObject>(resource: Resource, query: Query, onChange: OnChange<T>): Reflector<T> => {
      const { client, random } = options;
      const onProblem = (error: unknown) => options.onProblem(resource.plural, error);
      const reflector = new Reflector<T>({ client, resource, query, onChange, random, onProblem });
      this.#all.push(reflector as unknown as Reflector<never>);
      return reflector;
    };
    // RBAC by resourceNames grants list and watch only to who asks for that one name.
    const named = (name: string): Query => ({ namespace, fieldSelector: `metadata.name=${name}` });
    const ofType = (type: string): Query => ({ fieldSelector: `type=${type}` });
    const ofGateway = { namespace, labelSelector: `kubernetes.io/service-name=${kinds.GATEWAY_SERVICE}` };

    this.workspaces = follow(kinds.workspaces, {}, listeners.workspaces);
    this.budgets = follow(kinds.budgets, {}, listeners.budgets);
    this.namespaces = follow(kinds.namespaces, {}, listeners.namespaces);
    this.upstreamSecrets = follow(kinds.secrets, ofType(kinds.UPSTREAM_KEY_TYPE), listeners.upstreamSecrets);
    this.keySecrets = follow(kinds.secrets, ofType(kinds.CALLER_KEY_TYPE), listeners.keySecrets);
    this.endpoints = follow(endpointSlices, ofGateway, listeners.endpoints);
    this.prices = follow(kinds.configMaps, named(kinds.PRICES), listeners.prices);
    this.memory = follow(kinds.configMaps, named(kinds.LEDGER_CHECKPOINT), listeners.memory);
    const { policy, keys } = shardNames(settings.shards);
    for (const name of [...policy, SHARED_SHARD]) follow(kinds.configMaps, named(name), listeners.shard);
    for (const name of keys) follow(kinds.secrets, named(name), listeners.shard);
  }

  /** Whether every cache was filled once. */
  get hasSynced(): boolean {
    return this.#all.every(({ hasSynced }) => hasSynced);
  }

  /** Resolves when every cache is filled. */
  async synced(): Promise<void> {
    await Promise.all(this.#all.map(({ synced }) => synced));
  }

  start(): void {
    for (const reflector of this.#all) reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.stop()));
  }
}
