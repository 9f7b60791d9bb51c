/** Reads the shards: the gateways enforce their content, and the operator compiles the next one over it. */

import { decodeJSON } from '../core/canonical-json.ts';
import type { Address, CompiledBudget, CompiledWorkspace, Credentials, Ref } from '../core/compiled-policy.ts';
import { err, ok, type Result } from '../core/result.ts';
import { type NameList, readNameList } from '../names/name-list.ts';
import { parsePriceBook } from '../prices/price-book-file.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { decodeShard, type Hash, type Shard, type ShardData } from './shard-format.ts';

/** A policy shard: compiled workspaces by `namespace/name`. */
export interface PolicyShard {
  readonly schema: number;
  readonly revision: number;
  readonly workspaces: ReadonlyMap<Ref, CompiledWorkspace>;
  /** Each workspace's JSON as it is stored: an unchanged one need not be encoded again. */
  readonly texts: ReadonlyMap<Ref, string>;
}

/** A keys shard: credentials by `namespace/name` of their workspace. */
export interface KeysShard {
  readonly schema: number;
  readonly revision: number;
  readonly credentials: ReadonlyMap<Ref, KeysEntry>;
}

export interface KeysEntry {
  readonly credentials: Credentials;
  /** By which a workspace names its credentials. */
  readonly checksum: string;
}

export interface SharedShard {
  readonly schema: number;
  readonly revision: number;
  /** Null until the operator has established a ledger. */
  readonly epoch: string | null;
  readonly budgets: ReadonlyMap<Address, CompiledBudget>;
  readonly books: ReadonlyMap<Address, SharedBook>;
  readonly names: ReadonlyMap<Address, SharedNames>;
}

/** A price book, and its file (JSON) as it is stored in the shard. */
export interface SharedBook {
  readonly text: string;
  readonly book: PriceBook;
}

/** A list of names, and its text (JSON) as it is stored in the shard. */
export interface SharedNames {
  readonly text: string;
  readonly list: NameList;
}

export const EPOCH_ENTRY = 'epoch';

/** The name of a workspace's entry in its shards. */
export function entryName(workspace: { readonly namespace: string; readonly name: string }): string {
  return `${workspace.namespace}.${workspace.name}`;
}

/** A namespace has no dot, so the first dot ends it. */
function refOfEntry(name: string): Ref {
  return name.replace('.', '/');
}

/** The address of content: `kind.name.checksum`. */
export function addressOf(kind: 'budget' | 'prices' | 'names', name: string, text: string, hash: Hash): Address {
  return `${kind}.${name}.${hash(text).slice(0, 32)}`;
}

/**
 * Reads a policy shard; `data` is undefined if the ConfigMap is missing. Never throws. A workspace whose JSON is the one
 * in `last` stays the same object, since an edit changes one of many.
 */
export function decodePolicyShard(
  data: ShardData | undefined,
  hash: Hash,
  last?: PolicyShard,
): Result<PolicyShard, string> {
  return decoded(data, hash, ({ schema, revision, entries }) => {
    const workspaces = new Map<Ref, CompiledWorkspace>();
    const texts = new Map<Ref, string>();
    for (const [name, text] of entries) {
      const ref = refOfEntry(name);
      const unchanged = last?.texts.get(ref) === text ? last.workspaces.get(ref) : undefined;
      workspaces.set(ref, unchanged ?? (decodeJSON(text) as CompiledWorkspace));
      texts.set(ref, text);
    }
    return { schema, revision, workspaces, texts };
  });
}

/** Reads a keys shard; `data` is undefined if the Secret is missing. Never throws, and no error names a credential. */
export function decodeKeysShard(data: ShardData | undefined, hash: Hash): Result<KeysShard, string> {
  return decoded(data, hash, ({ schema, revision, entries }) => {
    const credentials = [...entries].map(([name, text]): [Ref, KeysEntry] => [
      refOfEntry(name),
      { credentials: decodeJSON(text) as Credentials, checksum: hash(text) },
    ]);
    return { schema, revision, credentials: new Map(credentials) };
  });
}

/** Reads the shared shard; `data` is undefined if the ConfigMap is missing. Never throws. */
export function decodeSharedShard(data: ShardData | undefined, hash: Hash): Result<SharedShard, string> {
  return decoded(data, hash, ({ schema, revision, entries }) => {
    const budgets = [...entries].filter(([name]) => name.startsWith('budget.'));
    const books = [...entries].filter(([name]) => name.startsWith('prices.'));
    const names = [...entries].filter(([name]) => name.startsWith('names.'));
    const epoch = entries.get(EPOCH_ENTRY);
    return {
      schema,
      revision,
      epoch: epoch === undefined ? null : (decodeJSON(epoch) as string),
      budgets: new Map(budgets.map(([address, text]) => [address, decodeJSON(text) as CompiledBudget])),
      books: new Map(books.map(([address, text]) => [address, { text, book: parsePriceBook(JSON.parse(text)) }])),
      names: new Map(names.map(([address, text]) => [address, { text, list: readNameList(JSON.parse(text)) }])),
    };
  });
}

function decoded<T>(data: ShardData | undefined, hash: Hash, read: (shard: Shard) => T): Result<T, string> {
  const shard = decodeShard(data, hash);
  if (!shard.ok) return shard;
  try {
    return ok(read(shard.value));
  } catch {
    // The checksum is right, so nothing is damaged: another version of Tollgate wrote an entry that this one cannot read.
    return err('an entry is not readable');
  }
}
