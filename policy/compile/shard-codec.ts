/** Reads the shards: the gateways enforce their content, and the operator compiles the next one over it. */

import { decodeJSON } from '../core/canonical-json.ts';
import type { Address, CompiledBudget, CompiledWorkspace, Credentials, Ref } from '../core/compiled-policy.ts';
import { err, ok, type Result } from '../core/result.ts';
import { parsePriceBook } from '../prices/price-book-file.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { decodeShard, type Hash, type Shard, type ShardData } from './shards.ts';

/** A policy shard: compiled workspaces by `namespace/name`. */
export interface PolicyShard {
  readonly revision: number;
  readonly workspaces: ReadonlyMap<Ref, CompiledWorkspace>;
  /** Each workspace's JSON as it is stored: an unchanged one need not be encoded again. */
  readonly texts: ReadonlyMap<Ref, string>;
}

/** A keys shard: credentials by `namespace/name` of their workspace. */
export interface KeysShard {
  readonly revision: number;
  readonly credentials: ReadonlyMap<Ref, KeysEntry>;
}

export interface KeysEntry {
  readonly credentials: Credentials;
  /** By which a workspace names its credentials. */
  readonly checksum: string;
}

export interface SharedShard {
  readonly revision: number;
  /** Null until the operator has established a ledger. */
  readonly epoch: string | null;
  readonly budgets: ReadonlyMap<Address, CompiledBudget>;
  readonly books: ReadonlyMap<Address, SharedBook>;
}

/** A price book, and its file (JSON) as it is stored in the shard. */
export interface SharedBook {
  readonly text: string;
  readonly book: PriceBook;
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
export function addressOf(kind: 'budget' | 'prices', name: string, text: string, hash: Hash): Address {
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
  return decoded(data, hash, ({ revision, entries }) => {
    const workspaces = new Map<Ref, CompiledWorkspace>();
    const texts = new Map<Ref, string>();
    for (const [name, text] of entries) {
      const ref = refOfEntry(name);
      const unchanged = last?.texts.get(ref) === text ? last.workspaces.get(ref) : undefined;
      workspaces.set(ref, unchanged ?? (decodeJSON(text) as CompiledWorkspace));
      texts.set(ref, text);
    }
    return { revision, workspaces, texts };
  });
}

/** Reads a keys shard; `data` is undefined if the Secret is missing. Never throws, and no error names a credential. */
export function decodeKeysShard(data: ShardData | undefined, hash: Hash): Result<KeysShard, string> {
  return decoded(data, hash, ({ revision, entries }) => {
    const credentials = [...entries].map(([name, text]): [Ref, KeysEntry] => [
      refOfEntry(name),
      { credentials: decodeJSON(text) as Credentials, checksum: hash(text) },
    ]);
    return { revision, credentials: new Map(credentials) };
  });
}

/** Reads the shared shard; `data` is undefined if the ConfigMap is missing. Never throws. */
export function decodeSharedShard(data: ShardData | undefined, hash: Hash): Result<SharedShard, string> {
  return decoded(data, hash, ({ revision, entries }) => {
    const budgets = [...entries].filter(([name]) => name.startsWith('budget.'));
    const books = [...entries].filter(([name]) => name.startsWith('prices.'));
    const epoch = entries.get(EPOCH_ENTRY);
    return {
      revision,
      epoch: epoch === undefined ? null : (decodeJSON(epoch) as string),
      budgets: new Map(budgets.map(([address, text]) => [address, decodeJSON(text) as CompiledBudget])),
      books: new Map(books.map(([address, text]) => [address, { text, book: parsePriceBook(JSON.parse(text)) }])),
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

/** A workspace with everything its addresses name, ready to be enforced. */
export interface ResolvedWorkspace extends Omit<CompiledWorkspace, 'budgets' | 'spanning' | 'prices' | 'credentials'> {
  /** Its own budgets and the spanning ones. */
  readonly budgets: readonly CompiledBudget[];
  readonly prices: PriceBook;
  /** Null if its Secret was deleted. */
  readonly upstreamKey: string | null;
}

/** A workspace that can be enforced, with the SHA-256 (hex) of each caller key by the key's name. */
export interface EnforceableWorkspace {
  readonly workspace: ResolvedWorkspace;
  readonly keys: Readonly<Record<string, string>>;
}

/** Joins a workspace with what it names. The error lists what is missing; until then keep the one in force. */
export function resolveWorkspace(
  workspace: CompiledWorkspace,
  shared: Pick<SharedShard, 'budgets' | 'books'>,
  entry: KeysEntry | undefined,
): Result<EnforceableWorkspace, readonly string[]> {
  const { budgets: own, spanning, prices, credentials, ...rest } = workspace;
  const known = entry?.checksum === credentials ? entry.credentials : undefined;
  const book = shared.books.get(prices)?.book;
  const missing = [
    ...spanning.filter((address) => !shared.budgets.has(address)),
    ...(book === undefined ? [prices] : []),
    ...(known === undefined ? ['credentials'] : []),
  ];
  if (book === undefined || known === undefined || missing.length > 0) return err(missing);
  const budgets = [...own, ...spanning.map((address) => shared.budgets.get(address)!)];
  return ok({ workspace: { ...rest, budgets, prices: book, upstreamKey: known.upstreamKey }, keys: known.keys });
}
