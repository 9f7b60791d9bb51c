import { SHARD_BYTES } from './shard-format.ts';

/** Bytes in a policy shard and in its keys shard. */
export interface Bytes {
  readonly policy: number;
  readonly keys: number;
}

/** A part that takes more bytes of the shards than before. */
export interface Growth {
  readonly namespace: string;
  /** Of one namespace, growths are granted in the order of these texts. */
  readonly order: string;
  readonly bytes: Bytes;
  /** False if it would be of no use, since what it is a part of was refused. */
  readonly isUseful: () => boolean;
  readonly take: () => void;
  readonly refuse: () => void;
}

/** What tenants may fill. */
const TENANT_ROOM = Math.floor((SHARD_BYTES * 7) / 8);
/** What spanning budgets may fill beyond. The rest is for restrained forms, which may be a word longer than the last. */
const SPANNING_ROOM = Math.floor((SHARD_BYTES * 31) / 32);
/** A namespace may hold this part of what it leaves free. */
const SHARE = 1 / 4;

/**
 * The room in a pair of shards. A namespace grows only while it holds no more than a quarter of what is left free with it.
 * So none can fill a shard, and a few together cannot either: each leaves four fifths of what it finds.
 */
export class ShardRoom {
  #total: Bytes = { policy: 0, keys: 0 };
  readonly #holdings = new Map<string, Bytes>();

  /** Adds what is there in any case. */
  add(namespace: string, bytes: Bytes): void {
    this.#total = sum(this.#total, bytes);
    this.#holdings.set(namespace, sum(this.#holding(namespace), bytes));
  }

  /** Adds what a spanning budget adds to a workspace. Returns false if there is no room for it. */
  addSpanning(namespace: string, bytes: number): boolean {
    if (this.#total.policy + bytes > SPANNING_ROOM) return false;
    this.add(namespace, { policy: bytes, keys: 0 });
    return true;
  }

  /** Decides about all growths, in turn for the namespace that holds least. */
  grant(growths: readonly Growth[]): void {
    const waiting = Map.groupBy(
      growths.toSorted((a, b) => (a.order < b.order ? 1 : -1)),
      ({ namespace }) => namespace,
    );
    while (waiting.size > 0) {
      const namespace = this.#leastHolding(waiting.keys());
      const growth = waiting.get(namespace)!.pop();
      if (growth === undefined) waiting.delete(namespace);
      else if (growth.isUseful()) this.#decide(growth);
    }
  }

  #decide({ namespace, bytes, take, refuse }: Growth): void {
    const holding = sum(this.#holding(namespace), bytes);
    const total = sum(this.#total, bytes);
    const isFair = (of: keyof Bytes): boolean => bytes[of] <= 0 || holding[of] <= (TENANT_ROOM - total[of]) * SHARE;
    if (!isFair('policy') || !isFair('keys')) return refuse();
    this.add(namespace, bytes);
    take();
  }

  #holding(namespace: string): Bytes {
    return this.#holdings.get(namespace) ?? { policy: 0, keys: 0 };
  }

  #leastHolding(namespaces: Iterable<string>): string {
    const held = [...namespaces].map((namespace) => {
      const { policy, keys } = this.#holding(namespace);
      return { namespace, bytes: policy + keys };
    });
    return held.reduce((least, one) => {
      const isLess = one.bytes < least.bytes || (one.bytes === least.bytes && one.namespace < least.namespace);
      return isLess ? one : least;
    }).namespace;
  }
}

function sum(a: Bytes, b: Bytes): Bytes {
  return { policy: a.policy + b.policy, keys: a.keys + b.keys };
}
