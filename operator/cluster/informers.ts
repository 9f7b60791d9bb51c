import { budgets, workspaces } from '../../crds/kinds.gen.ts';
import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { KubeClient, Query } from '../../kube/client.ts';
import * as kinds from '../../kube/kinds.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import { type OnChange, Reflector } from '../../kube/reflector.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { SHARED_SHARD, shardNames } from '../../policy/shards/shard-format.ts';
import {
  CALLER_KEY_TYPE,
  GATEWAY_SERVICE,
  LEDGER_CHECKPOINT,
  NAMES,
  PRICES,
  UPSTREAM_KEY_TYPE,
} from './object-names.ts';
import {
  reducedBudget,
  reducedKeySecret,
  reducedNamespace,
  reducedUpstreamSecret,
  reducedWorkspace,
} from './reduced-objects.ts';

/** One informer each; `shard` is one of policy (a ConfigMap) or of keys (a Secret). */
interface InformedKinds {
  readonly workspaces: ClaudeWorkspace;
  readonly budgets: ClaudeBudget;
  readonly namespaces: KubeObject;
  readonly upstreamSecrets: kinds.Secret;
  readonly keySecrets: kinds.Secret;
  readonly endpoints: kinds.EndpointSlice;
  readonly prices: kinds.ConfigMap;
  readonly names: kinds.ConfigMap;
  readonly checkpoint: kinds.ConfigMap;
  readonly shard: kinds.Secret;
}

/** Called with each change that an informer sees. */
export type ChangeHandlers = { readonly [K in keyof InformedKinds]: OnChange<InformedKinds[K]> };

interface InformersOptions {
  readonly client: KubeClient;
  readonly settings: Settings;
  readonly random: () => number;
  /** A list or watch of this kind (plural) failed and is tried again. */
  readonly onProblem: (kind: string, error: unknown) => void;
}

/** Watched copies of all objects that the operator reads from the API server. */
export type Informers = ReturnType<typeof createInformers>;

export function createInformers({ client, settings, random, onProblem }: InformersOptions) {
  const { namespace } = settings;
  const all: Reflector<never>[] = [];
  let handlers: ChangeHandlers | undefined;
  const watch = <K extends keyof InformedKinds>(
    kind: K,
    resource: Resource,
    query: Query = {},
    reduce: (object: InformedKinds[K]) => InformedKinds[K] = (object) => object,
  ) => {
    const reflector = new Reflector<InformedKinds[K]>({
      client,
      resource,
      query,
      reduce,
      onChange: (...change) => handlers?.[kind](...change),
      random,
      onProblem: (error) => onProblem(resource.plural, error),
    });
    all.push(reflector as unknown as Reflector<never>);
    return reflector;
  };
  // RBAC with resourceNames allows list and watch only with a selector for that one name.
  const named = (name: string): Query => ({ namespace, fieldSelector: `metadata.name=${name}` });
  const ofType = (type: string): Query => ({ fieldSelector: `type=${type}` });
  const ofGateway = { namespace, labelSelector: `kubernetes.io/service-name=${GATEWAY_SERVICE}` };
  const { policy, keys } = shardNames(settings.shards);
  for (const name of [...policy, SHARED_SHARD]) watch('shard', kinds.configMaps, named(name));
  for (const name of keys) watch('shard', kinds.secrets, named(name));
  return {
    workspaces: watch('workspaces', workspaces, {}, reducedWorkspace),
    budgets: watch('budgets', budgets, {}, reducedBudget),
    namespaces: watch('namespaces', kinds.namespaces, {}, reducedNamespace),
    upstreamSecrets: watch('upstreamSecrets', kinds.secrets, ofType(UPSTREAM_KEY_TYPE), reducedUpstreamSecret),
    keySecrets: watch('keySecrets', kinds.secrets, ofType(CALLER_KEY_TYPE), reducedKeySecret),
    endpoints: watch('endpoints', kinds.endpointSlices, ofGateway),
    prices: watch('prices', kinds.configMaps, named(PRICES)),
    names: watch('names', kinds.configMaps, named(NAMES)),
    checkpoint: watch('checkpoint', kinds.configMaps, named(LEDGER_CHECKPOINT)),
    /** Whether every informer has its first list. */
    get hasSynced(): boolean {
      return all.every(({ hasSynced }) => hasSynced);
    },
    /** Resolves once every informer has its first list. */
    async synced(): Promise<void> {
      await Promise.all(all.map(({ synced }) => synced));
    },
    /** Begins to watch; call it once. */
    start(handle: ChangeHandlers): void {
      handlers = handle;
      for (const reflector of all) reflector.start();
    },
    async stop(): Promise<void> {
      await Promise.all(all.map((reflector) => reflector.stop()));
    },
  };
}
