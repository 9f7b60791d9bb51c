import type { KubeClient } from '../../kube/client.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import type { PreviousShards } from '../../policy/compile/compile-input.ts';
import type { ShardWrite } from '../../policy/compile/compile-output.ts';
import { decodeKeysShard, decodePolicyShard, decodeSharedShard } from '../../policy/compile/shard-codec.ts';
import { type Hash, SHARED_SHARD, type ShardData, shardNames } from '../../policy/compile/shards.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { configMaps, type Secret, secrets } from '../cluster/kube-kinds.ts';

interface ShardStoreOptions {
  readonly client: KubeClient;
  readonly settings: Settings;
  readonly hash: Hash;
}

/**
 * The shards as they stand: what the watch brings and what was written here, whichever is newer. A write goes through
 * only over the version that the policy was compiled from, so that two operators could never undo each other.
 */
export class ShardStore {
  readonly #options: ShardStoreOptions;
  readonly #objects = new Map<string, Secret>();
  /** What each shard held last, decoded: most of them stay as they are from one compilation to the next. */
  readonly #decoded = new Map<string, { readonly object: Secret; readonly shard: unknown }>();

  constructor(options: ShardStoreOptions) {
    this.#options = options;
  }

  /** Takes in what the watch brings. Returns whether that is news: not so for what was written here. */
  take(name: string, object: Secret | undefined): boolean {
    const known = this.#objects.get(name);
    if (object === undefined) return this.#objects.delete(name);
    if (known !== undefined && !isNewer(object, known)) return false;
    this.#objects.set(name, object);
    return true;
  }

  /** All shards, decoded. One that is missing or unreadable is left out, so that it is written anew. */
  previous(): PreviousShards {
    const names = shardNames(this.#options.settings.shards);
    const policy = names.policy.map((name) => [name, this.#read(name, decodePolicyShard)] as const);
    const keys = names.keys.map((name) => [name, this.#read(name, decodeKeysShard)] as const);
    const shared = this.#read(SHARED_SHARD, decodeSharedShard);
    return {
      policy: new Map(policy.flatMap(([name, shard]) => ('problem' in shard ? [] : [[name, shard] as const]))),
      keys: new Map(keys.flatMap(([name, shard]) => ('problem' in shard ? [] : [[name, shard] as const]))),
      shared: 'problem' in shared ? null : shared,
    };
  }

  /** Writes one shard. After a KubeError `Conflict` the store has the newer form: compile again. */
  async write({ kind, name, data }: ShardWrite): Promise<void> {
    const known = this.#objects.get(name);
    if (known === undefined)
      throw new Error(`${kind} ${name} is missing: apply the manifests of the installation again`);
    const { client } = this.#options;
    const resource = kind === 'Secret' ? secrets : configMaps;
    try {
      const written = { ...known, data: kind === 'Secret' ? mapped(data, encode) : data };
      this.take(name, await client.replace<Secret>(resource, written));
    } catch (error) {
      if (isKubeError(error, 'Conflict')) this.take(name, await client.get<Secret>(resource, known.metadata));
      throw error;
    }
  }

  #read<T>(name: string, decodeShard: (data: ShardData | undefined, hash: Hash, before?: T) => T): T {
    const { hash } = this.#options;
    const object = this.#objects.get(name);
    if (object === undefined) return decodeShard(undefined, hash);
    const last = this.#decoded.get(name);
    const before = last?.shard as T | undefined;
    if (last?.object === object) return before!;
    const shard = decodeShard(dataOf(object), hash, before);
    this.#decoded.set(name, { object, shard });
    return shard;
  }
}

function dataOf({ data, type }: Secret): ShardData | undefined {
  if (data === undefined) return undefined;
  return type === undefined ? data : mapped(data, decode); // only a Secret has a type
}

/** Resource versions of one object are numbers that rise. */
function isNewer(one: Secret, than: Secret): boolean {
  if (one.metadata.uid !== than.metadata.uid) return true;
  return BigInt(one.metadata.resourceVersion ?? 0) > BigInt(than.metadata.resourceVersion ?? 0);
}

function mapped(data: ShardData, map: (text: string) => string): ShardData {
  return Object.fromEntries(Object.entries(data).map(([name, text]) => [name, map(text)]));
}

function encode(text: string): string {
  return Buffer.from(text).toString('base64');
}

function decode(text: string): string {
  return Buffer.from(text, 'base64').toString();
}
