import { hash } from 'node:crypto';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import { Reflector } from '../../kube/reflector.ts';
import {
  decodeKeysShard,
  decodePolicyShard,
  decodeSharedShard,
  type KeysShard,
  type PolicyShard,
  type EnforceableWorkspace,
  resolveWorkspace,
  type SharedShard,
} from '../../policy/compile/shard-codec.ts';
import { type ShardData, type ShardProblem, SHARED_SHARD, shardNames } from '../../policy/compile/shards.ts';
import type { ActivePolicy } from './active-policy.ts';

interface Holder extends KubeObject {
  readonly data?: ShardData;
}

interface Parts {
  readonly client: KubeClient;
  readonly namespace: string;
  /** How many shards of workspaces there are. */
  readonly shards: number;
  readonly policy: ActivePolicy;
  readonly random: () => number;
  /** A shard cannot be read or used; what was enforced goes on. */
  readonly onProblem: (shard: string, problem: string) => void;
}

/** One pair of shards: the workspaces, and the credentials of the same workspaces. */
interface Pair {
  readonly name: string;
  policy: PolicyShard | null;
  keys: KeysShard | null;
  /** The revision that is enforced in full. */
  enforced: number;
}

const CONFIG_MAPS: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
const SECRETS: Resource = { apiVersion: 'v1', kind: 'Secret', plural: 'secrets' };

/**
 * Follows the shards that the operator writes and enforces what they say, each workspace as soon as everything that it
 * names is there. A shard that is missing or torn changes nothing, and neither does an API server that is away.
 */
export class PolicyWatcher {
  readonly #parts: Parts;
  readonly #pairs: readonly Pair[];
  readonly #reflectors: readonly Reflector<Holder>[];
  #shared: SharedShard | null = null;
  #onChange: () => void = () => undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    const { policy, keys } = shardNames(parts.shards);
    this.#pairs = policy.map((name) => ({ name, policy: null, keys: null, enforced: 0 }));
    this.#reflectors = [
      this.#follow(CONFIG_MAPS, SHARED_SHARD, (data) => this.#takeShared(decodeSharedShard(data, sha256))),
      ...this.#pairs.map((pair) =>
        this.#follow(CONFIG_MAPS, pair.name, (data) =>
          this.#takePolicy(pair, decodePolicyShard(data, sha256, pair.policy)),
        ),
      ),
      ...this.#pairs.map((pair, index) =>
        this.#follow(SECRETS, keys[index]!, (data) =>
          this.#takeKeys(pair, keys[index]!, decodeKeysShard(data, sha256)),
        ),
      ),
    ];
  }

  /** The epoch in which the ledger is expected, null until the operator has established one. */
  get epoch(): string | null {
    return this.#shared?.epoch ?? null;
  }

  /** The revision of each shard that is enforced in full. */
  get revisions(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#pairs.map(({ name, enforced }) => [name, enforced]));
  }

  /** `onChange`: something else is enforced, or reported, than before. */
  start(onChange: () => void): void {
    this.#onChange = onChange;
    for (const reflector of this.#reflectors) reflector.start();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.stop()));
  }

  #follow(resource: Resource, name: string, take: (data: ShardData | undefined) => void): Reflector<Holder> {
    const { client, namespace, random, onProblem } = this.#parts;
    return new Reflector<Holder>({
      client,
      resource,
      query: { namespace, fieldSelector: `metadata.name=${name}` },
      random,
      onChange: (_key, now) => take(resource === SECRETS ? unwrapped(now?.data) : now?.data),
      onProblem: (error) => onProblem(name, error instanceof Error ? error.message : String(error)),
    });
  }

  #takeShared(shared: SharedShard | ShardProblem): void {
    if ('problem' in shared) return this.#parts.onProblem(SHARED_SHARD, shared.problem);
    this.#shared = shared;
    for (const pair of this.#pairs) this.#enforce(pair);
    this.#changed();
  }

  #takePolicy(pair: Pair, shard: PolicyShard | ShardProblem): void {
    if ('problem' in shard) return this.#parts.onProblem(pair.name, shard.problem);
    for (const ref of pair.policy?.workspaces.keys() ?? []) {
      if (!shard.workspaces.has(ref)) this.#parts.policy.drop(ref);
    }
    pair.policy = shard;
    this.#enforce(pair);
    this.#changed();
  }

  #takeKeys(pair: Pair, name: string, shard: KeysShard | ShardProblem): void {
    if ('problem' in shard) return this.#parts.onProblem(name, shard.problem);
    pair.keys = shard;
    this.#enforce(pair);
    this.#changed();
  }

  #changed(): void {
    if (this.#shared !== null && this.#pairs.every((pair) => pair.policy !== null && pair.keys !== null)) {
      this.#parts.policy.setLoaded();
    }
    this.#onChange();
  }

  #enforce(pair: Pair): void {
    if (pair.policy === null || pair.keys === null || this.#shared === null) return;
    const { policy } = this.#parts;
    const resolved: EnforceableWorkspace[] = [];
    let enforced = pair.policy.revision;
    for (const [ref, workspace] of pair.policy.workspaces) {
      // A version never changes its meaning.
      if (policy.versionOf(ref) === workspace.version) continue;
      const one = resolveWorkspace(workspace, this.#shared, pair.keys.credentials.get(ref));
      if ('workspace' in one) resolved.push(one);
      else enforced = Math.min(enforced, workspace.version - 1);
    }
    policy.enforce(resolved);
    pair.enforced = enforced;
  }
}

function sha256(text: string): string {
  return hash('sha256', text);
}

function unwrapped(data: ShardData | undefined): ShardData | undefined {
  if (data === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [name, Buffer.from(value, 'base64').toString('utf8')]),
  );
}
