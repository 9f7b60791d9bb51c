import { err, type Result } from '../core/result.ts';
import {
  decodeKeysShard,
  decodePolicyShard,
  decodeSharedShard,
  type KeysShard,
  type PolicyShard,
  type SharedShard,
} from './shard-contents.ts';
import { type Hash, SHARED_SHARD, type ShardData, shardNames } from './shard-format.ts';

/** The stored shards by name, without those that are missing or unreadable. */
export interface PreviousShards {
  readonly policy: ReadonlyMap<string, PolicyShard>;
  readonly keys: ReadonlyMap<string, KeysShard>;
  readonly shared: SharedShard | null;
}

/**
 * All shards of an installation: the operator compiles over them, gateways enforce them, the doctor examines them. Each
 * is decoded when it is first asked for, and parts that did not change stay the same objects.
 */
export class ShardSet {
  readonly #shared: Slot<SharedShard>;
  readonly #policy: ReadonlyMap<string, Slot<PolicyShard>>;
  readonly #keys: ReadonlyMap<string, Slot<KeysShard>>;

  /** `count`: the setting `shards`. */
  constructor(count: number, hash: Hash) {
    const { policy, keys } = shardNames(count);
    this.#shared = new Slot((data) => decodeSharedShard(data, hash));
    this.#policy = new Map(policy.map((name) => [name, new Slot((data, last) => decodePolicyShard(data, hash, last))]));
    this.#keys = new Map(keys.map((name) => [name, new Slot((data) => decodeKeysShard(data, hash))]));
  }

  /** Takes the data of a ConfigMap, or of a Secret after decoding its base64; undefined if the object does not exist. */
  put(name: string, data: ShardData | undefined): void {
    const slot = name === SHARED_SHARD ? this.#shared : (this.#policy.get(name) ?? this.#keys.get(name));
    slot?.put(data);
  }

  get shared(): Result<SharedShard, string> {
    return this.#shared.shard;
  }

  get policy(): ReadonlyMap<string, Result<PolicyShard, string>> {
    return new Map([...this.#policy].map(([name, slot]) => [name, slot.shard]));
  }

  policyShard(name: string): Result<PolicyShard, string> {
    return this.#policy.get(name)?.shard ?? UNKNOWN;
  }

  keysShard(name: string): Result<KeysShard, string> {
    return this.#keys.get(name)?.shard ?? UNKNOWN;
  }

  /** The shards that can be read. The next compilation writes the others again. */
  get readable(): PreviousShards {
    const { shared } = this;
    return { policy: readable(this.#policy), keys: readable(this.#keys), shared: shared.ok ? shared.value : null };
  }
}

const UNKNOWN = err('the installation has no shard of this name');

class Slot<T extends object> {
  readonly #decode: (data: ShardData | undefined, last: T | undefined) => Result<T, string>;
  #data: ShardData | undefined;
  #shard: Result<T, string> | undefined;
  /** The last form that could be read. */
  #last: T | undefined;

  constructor(decode: (data: ShardData | undefined, last: T | undefined) => Result<T, string>) {
    this.#decode = decode;
  }

  put(data: ShardData | undefined): void {
    this.#data = data;
    this.#shard = undefined;
  }

  get shard(): Result<T, string> {
    if (this.#shard !== undefined) return this.#shard;
    const shard = this.#decode(this.#data, this.#last);
    this.#shard = shard;
    if (shard.ok) this.#last = shard.value;
    return shard;
  }
}

function readable<T extends object>(slots: ReadonlyMap<string, Slot<T>>): ReadonlyMap<string, T> {
  return new Map([...slots].flatMap(([name, { shard }]) => (shard.ok ? [[name, shard.value] as const] : [])));
}
