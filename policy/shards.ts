/**
 * How the compiled policy lies in ConfigMaps and Secrets: a fixed set of shards, each a map of names to JSON texts with
 * an `index` that carries schema, revision and a checksum over all of it. Half an update, another schema or a flipped
 * byte is a problem that the reader is told of, never a policy.
 */

import type { Address, CompiledBudget, CompiledWorkspace, Credentials, Ref } from './compiled.ts';
import type { ResolvedWorkspace } from './plan.ts';
import type { PriceBook } from './prices.ts';

/** The `data` of a ConfigMap, or of a Secret once its base64 is undone. */
export type ShardData = Readonly<Record<string, string>>;

/** SHA-256 of a text in UTF-8, in hex. */
export type Hash = (text: string) => string;

/** The shard with what all workspaces share: spanning budgets, price book, ledger epoch. A ConfigMap. */
export const SHARED_SHARD = 'tollgate-policy-shared';

/** The names of an installation's shards, in order: entry i of `policy` and entry i of `keys` hold the same workspaces. */
export function shardNames(count: number): { readonly policy: readonly string[]; readonly keys: readonly string[] } {
  throw new Error(String(count));
}

/** Which of `count` shards holds a workspace. Never changes for a name and a count. */
export function shardOf(workspace: Ref, count: number): number {
  throw new Error(workspace + String(count));
}

/** The reader cannot use a shard and keeps what it has; the sentence says why. */
export interface ShardProblem {
  readonly problem: string;
}

/** A policy shard: compiled workspaces by `namespace/name`. */
export interface PolicyShard {
  readonly revision: number;
  readonly workspaces: ReadonlyMap<Ref, CompiledWorkspace>;
}

/** A keys shard: credentials by `namespace/name` of their workspace. */
export interface KeysShard {
  readonly revision: number;
  readonly credentials: ReadonlyMap<Ref, KeysEntry>;
}

export interface KeysEntry {
  readonly credentials: Credentials;
  /** What a workspace names to say that these are its credentials. */
  readonly checksum: string;
}

/** The shared shard. */
export interface SharedShard {
  readonly revision: number;
  /** Null until the operator established a ledger. */
  readonly epoch: string | null;
  readonly budgets: ReadonlyMap<Address, CompiledBudget>;
  readonly books: ReadonlyMap<Address, SharedBook>;
}

export interface SharedBook {
  /** The price book's file, JSON. */
  readonly text: string;
  readonly book: PriceBook;
}

/** Reads a policy shard; undefined where the ConfigMap is missing. Never throws. */
export function decodePolicyShard(data: ShardData | undefined, hash: Hash): PolicyShard | ShardProblem {
  return { problem: String([data, hash]) };
}

/** Reads a keys shard; undefined where the Secret is missing. Never throws, and no problem names a credential. */
export function decodeKeysShard(data: ShardData | undefined, hash: Hash): KeysShard | ShardProblem {
  return { problem: String([data, hash]) };
}

/** Reads the shared shard; undefined where the ConfigMap is missing. Never throws. */
export function decodeSharedShard(data: ShardData | undefined, hash: Hash): SharedShard | ShardProblem {
  return { problem: String([data, hash]) };
}

/** A workspace that can be enforced, with the SHA-256 (hex) of each caller key by the key's name. */
export interface Resolved {
  readonly workspace: ResolvedWorkspace;
  readonly keys: Readonly<Record<string, string>>;
}

/** What a workspace names and is not there yet: addresses, or `credentials`. */
export interface Unresolved {
  readonly missing: readonly string[];
}

/** Joins a workspace with what it addresses; keep what you enforce while something is missing. */
export function resolveWorkspace(
  workspace: CompiledWorkspace,
  shared: SharedShard,
  entry: KeysEntry | undefined,
): Resolved | Unresolved {
  return { missing: [String([workspace, shared, entry])] };
}
