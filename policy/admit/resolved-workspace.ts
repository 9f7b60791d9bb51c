import {
  type Address,
  type CompiledBudget,
  type CompiledKey,
  type CompiledWorkspace,
  keysOf,
} from '../core/compiled-policy.ts';
import { err, ok, type Result } from '../core/result.ts';
import { type NameList, SHIPPED_NAMES } from '../names/name-list.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { KeysEntry, SharedShard } from '../shards/shard-contents.ts';

/** A workspace with everything its addresses name, ready to be enforced. */
export interface ResolvedWorkspace extends Omit<
  CompiledWorkspace,
  'budgets' | 'spanning' | 'prices' | 'credentials' | 'names' | 'unknownFields'
> {
  /** With the attributes that the platform fixes, over the key's own. */
  readonly keys: readonly CompiledKey[];
  /** Its own budgets and the spanning ones. */
  readonly budgets: readonly CompiledBudget[];
  readonly prices: PriceBook;
  /** What becomes of names in a request that are neither known nor harmless. */
  readonly unknownFields: 'Forward' | 'Refuse';
  readonly names: NameList;
  /** Null if its Secret was deleted. */
  readonly upstreamKey: string | null;
}

/** A workspace that can be enforced, with the SHA-256 (hex) of each caller key by the key's name. */
export interface EnforceableWorkspace {
  readonly workspace: ResolvedWorkspace;
  readonly keys: Readonly<Record<string, string>>;
}

/** What an operator of before schema 4 compiled has none. */
function listOf(names: Address | undefined, shared: Pick<SharedShard, 'names'>): NameList | undefined {
  return names === undefined ? SHIPPED_NAMES : shared.names.get(names)?.list;
}

/** Joins a workspace with what it names. The error lists what is missing; until then keep the one in force. */
export function resolveWorkspace(
  workspace: CompiledWorkspace,
  shared: Pick<SharedShard, 'budgets' | 'books' | 'names'>,
  entry: KeysEntry | undefined,
): Result<EnforceableWorkspace, readonly string[]> {
  const { budgets: own, spanning, prices, names, credentials, unknownFields = 'Refuse', ...rest } = workspace;
  const known = entry?.checksum === credentials ? entry.credentials : undefined;
  const book = shared.books.get(prices)?.book;
  const list = listOf(names, shared);
  const missing = [
    ...spanning.filter((address) => !shared.budgets.has(address)),
    ...(book === undefined ? [prices] : []),
    ...(list === undefined ? [names!] : []),
    ...(known === undefined ? ['credentials'] : []),
  ];
  if (book === undefined || list === undefined || known === undefined || missing.length > 0) return err(missing);
  const budgets = [...own, ...spanning.map((address) => shared.budgets.get(address)!)];
  const settled = {
    keys: keysOf(rest),
    budgets,
    prices: book,
    unknownFields,
    names: list,
    upstreamKey: known.upstreamKey,
  };
  return ok({ workspace: { ...rest, ...settled }, keys: known.keys });
}
