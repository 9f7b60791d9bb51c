import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { KubeClient, Query } from '../../kube/client.ts';
import { type EndpointSlice, endpointSlices } from '../../kube/kinds.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import { type OnChange, Reflector } from '../../kube/reflector.ts';
import { SHARED_SHARD, shardNames } from '../../policy/compile/shards.ts';
import type { Settings } from '../../policy/config/settings.ts';
import * as kinds from './kube-kinds.ts';

/** One informer each. */
interface InformedKinds {
  readonly workspaces: ClaudeWorkspace;
  readonly budgets: ClaudeBudget;
  readonly namespaces: KubeObject;
  readonly upstreamSecrets: kinds.Secret;
  readonly keySecrets: kinds.Secret;
  readonly endpoints: EndpointSlice;
  readonly prices: kinds.ConfigMap;
  readonly checkpoint: kinds.ConfigMap;
}

/** Called with each change that an informer sees. */
export type ChangeHandlers = { readonly [K in keyof InformedKinds]: OnChange<InformedKinds[K]> } & {
  /** A shard of policy (a ConfigMap) or of keys (a Secret). */
  readonly shard: OnChange<kinds.Secret>;
};

interface InformersOptions {
  readonly client: KubeClient;
  readonly settings: Settings;
  readonly random: () => number;
  /** A list or watch of this kind (plural) failed and is tried again. */
  readonly onProblem: (kind: string, error: unknown) => void;
}

/** Watched copies of all objects that the operator reads from the API server. */
export class Informers implements Readonly<{ [K in keyof InformedKinds]: Reflector<InformedKinds[K]> }> {
  readonly workspaces: Reflector<ClaudeWorkspace>;
  readonly budgets: Reflector<ClaudeBudget>;
  readonly namespaces: Reflector<KubeObject>;
  readonly upstreamSecrets: Reflector<kinds.Secret>;
  readonly keySecrets: Reflector<kinds.Secret>;
  readonly endpoints: Reflector<EndpointSlice>;
  readonly prices: Reflector<kinds.ConfigMap>;
  readonly checkpoint: Reflector<kinds.ConfigMap>;
  readonly #all: Reflector<never>[] = [];
  #handlers: ChangeHandlers | undefined;

  constructor(options: InformersOptions) {
    const { client, settings, random } = options;
    const { namespace } = settings;
    const watch = <T extends KubeObject>(
      resource: Resource,
      query: Query,
      handlerOf: (handlers: ChangeHandlers) => OnChange<T>,
    ): Reflector<T> => {
      const onChange: OnChange<T> = (...change) => this.#handlers && handlerOf(this.#handlers)(...change);
      const onProblem = (error: unknown) => options.onProblem(resource.plural, error);
      const reflector = new Reflector<T>({ client, resource, query, onChange, random, onProblem });
      this.#all.push(reflector as unknown as Reflector<never>);
      return reflector;
    };
    // RBAC with resourceNames allows list and watch only with a selector for that one name.
    const named = (name: string): Query => ({ namespace, fieldSelector: `metadata.name=${name}` });
    const ofType = (type: string): Query => ({ fieldSelector: `type=${type}` });
    const ofGateway = { namespace, labelSelector: `kubernetes.io/service-name=${kinds.GATEWAY_SERVICE}` };

    this.workspaces = watch(kinds.workspaces, {}, (on) => on.workspaces);
    this.budgets = watch(kinds.budgets, {}, (on) => on.budgets);
    this.namespaces = watch(kinds.namespaces, {}, (on) => on.namespaces);
    this.upstreamSecrets = watch(kinds.secrets, ofType(kinds.UPSTREAM_KEY_TYPE), (on) => on.upstreamSecrets);
    this.keySecrets = watch(kinds.secrets, ofType(kinds.CALLER_KEY_TYPE), (on) => on.keySecrets);
    this.endpoints = watch(endpointSlices, ofGateway, (on) => on.endpoints);
    this.prices = watch(kinds.configMaps, named(kinds.PRICES), (on) => on.prices);
    this.checkpoint = watch(kinds.configMaps, named(kinds.LEDGER_CHECKPOINT), (on) => on.checkpoint);
    const { policy, keys } = shardNames(settings.shards);
    for (const name of [...policy, SHARED_SHARD]) watch(kinds.configMaps, named(name), (on) => on.shard);
    for (const name of keys) watch(kinds.secrets, named(name), (on) => on.shard);
  }

  /** Whether every informer has its first list. */
  get hasSynced(): boolean {
    return this.#all.every(({ hasSynced }) => hasSynced);
  }

  /** Resolves once every informer has its first list. */
  async synced(): Promise<void> {
    await Promise.all(this.#all.map(({ synced }) => synced));
  }

  /** Begins to watch; call it once. */
  start(handlers: ChangeHandlers): void {
    this.#handlers = handlers;
    for (const reflector of this.#all) reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.stop()));
  }
}
