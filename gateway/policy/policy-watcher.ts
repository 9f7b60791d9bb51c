import { hash } from 'node:crypto';
import type { KubeClient } from '../../kube/client.ts';
import { type ConfigMap, configMaps, decodeSecretData, secrets } from '../../kube/kinds.ts';
import type { Resource } from '../../kube/object.ts';
import { Reflector } from '../../kube/reflector.ts';
import { type EnforceableWorkspace, resolveWorkspace } from '../../policy/admit/resolved-workspace.ts';
import { type KeysShard, type PolicyShard, type SharedShard } from '../../policy/shards/shard-contents.ts';
import { SHARED_SHARD, shardNames } from '../../policy/shards/shard-format.ts';
import { ShardSet } from '../../policy/shards/shard-set.ts';
import type { ActivePolicy } from './active-policy.ts';

interface WatcherOptions {
  readonly client: KubeClient;
  readonly namespace: string;
  /** The setting `shards`. */
  readonly shards: number;
  readonly policy: ActivePolicy;
  readonly random: () => number;
  /** A shard cannot be read or watched; what was enforced stays in force. */
  readonly onProblem: (shard: string, problem: string) => void;
}

/** A policy shard and the keys shard of the same workspaces; null until they could be read once. */
interface ShardPair {
  readonly name: string;
  readonly keysName: string;
  policy: PolicyShard | null;
  keys: KeysShard | null;
  /** The revision up to which every workspace is enforced. */
  enforced: number;
}

/**
 * Watches the shards that the operator writes and enforces each workspace as soon as everything that it refers to is
 * there. A missing or damaged shard changes nothing, and neither does an unreachable API server.
 */
export class PolicyWatcher {
  readonly #options: WatcherOptions;
  readonly #shards: ShardSet;
  readonly #pairs: readonly ShardPair[];
  readonly #reflectors: readonly Reflector<ConfigMap>[];
  #shared: SharedShard | null = null;
  #onChange: () => void = () => undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#shards = new ShardSet(options.shards, (text) => hash('sha256', text));
    const { policy, keys } = shardNames(options.shards);
    this.#pairs = policy.map((name, i) => ({ name, keysName: keys[i]!, policy: null, keys: null, enforced: 0 }));
    this.#reflectors = [
      this.#watch(configMaps, SHARED_SHARD, () => this.#takeShared()),
      ...this.#pairs.map((pair) => this.#watch(configMaps, pair.name, () => this.#takePolicy(pair))),
      ...this.#pairs.map((pair) => this.#watch(secrets, pair.keysName, () => this.#takeKeys(pair))),
    ];
  }

  /** The epoch in which the ledger is expected; null until the operator has established one. */
  get epoch(): string | null {
    return this.#shared?.epoch ?? null;
  }

  /** For each policy shard, the revision up to which every workspace is enforced. */
  get revisions(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#pairs.map(({ name, enforced }) => [name, enforced]));
  }

  /** `onChange`: the enforced revisions or the epoch may have changed. */
  start(onChange: () => void): void {
    this.#onChange = onChange;
    for (const reflector of this.#reflectors) reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  #watch(resource: Resource, name: string, onTaken: () => void): Reflector<ConfigMap> {
    const { client, namespace, random, onProblem } = this.#options;
    return new Reflector<ConfigMap>({
      client,
      resource,
      query: { namespace, fieldSelector: `metadata.name=${name}` },
      random,
      onChange: (_key, now) => {
        const data = now?.data;
        this.#shards.put(name, data !== undefined && resource === secrets ? decodeSecretData(data) : data);
        onTaken();
      },
      onProblem: (error) => onProblem(name, error instanceof Error ? error.message : String(error)),
    });
  }

  #takeShared(): void {
    const { shared } = this.#shards;
    if (!shared.ok) return this.#options.onProblem(SHARED_SHARD, shared.error);
    this.#shared = shared.value;
    for (const pair of this.#pairs) this.#enforce(pair);
    this.#changed();
  }

  #takePolicy(pair: ShardPair): void {
    const shard = this.#shards.policyShard(pair.name);
    if (!shard.ok) return this.#options.onProblem(pair.name, shard.error);
    for (const ref of pair.policy?.workspaces.keys() ?? []) {
      if (!shard.value.workspaces.has(ref)) this.#options.policy.drop(ref);
    }
    pair.policy = shard.value;
    this.#enforce(pair);
    this.#changed();
  }

  #takeKeys(pair: ShardPair): void {
    const shard = this.#shards.keysShard(pair.keysName);
    if (!shard.ok) return this.#options.onProblem(pair.keysName, shard.error);
    pair.keys = shard.value;
    this.#enforce(pair);
    this.#changed();
  }

  #changed(): void {
    if (this.#shared !== null && this.#pairs.every((pair) => pair.policy !== null && pair.keys !== null)) {
      this.#options.policy.setLoaded();
    }
    this.#onChange();
  }

  #enforce(pair: ShardPair): void {
    if (pair.policy === null || pair.keys === null || this.#shared === null) return;
    const { policy } = this.#options;
    const resolved: EnforceableWorkspace[] = [];
    let enforced = pair.policy.revision;
    for (const [ref, workspace] of pair.policy.workspaces) {
      // A version never changes its meaning.
      if (policy.versionOf(ref) === workspace.version) continue;
      const one = resolveWorkspace(workspace, this.#shared, pair.keys.credentials.get(ref));
      if (one.ok) resolved.push(one.value);
      else enforced = Math.min(enforced, workspace.version - 1);
    }
    policy.enforce(resolved);
    pair.enforced = enforced;
  }
}
