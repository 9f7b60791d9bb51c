/** The shard of what workspaces share: spanning budgets, price books and the ledger's epoch, each under its address. */

import { encodeJSON } from '../core/canonical-json.ts';
import { type Address, COMPILED_SCHEMA, type Ref } from '../core/compiled-policy.ts';
import { storedNames } from '../names/name-list.ts';
import { contractBook, pricingOf } from '../prices/contract-prices.ts';
import { addressOf, EPOCH_ENTRY } from '../shards/shard-contents.ts';
import { encodeShard, SHARED_SHARD } from '../shards/shard-format.ts';
import type { TargetedBudget } from './budget-targets.ts';
import type { CompileInput } from './compile-input.ts';
import type { ShardWrite } from './compile-output.ts';

/** The entries of the shared shard, and the addresses by which workspaces name them. */
export interface SharedEntries {
  readonly entries: ReadonlyMap<string, string>;
  readonly spanning: ReadonlyMap<Ref, Address>;
  /** The address of the price book of a namespace. */
  readonly pricesOf: (namespace: string) => Address;
  /** The address of the list of names. */
  readonly names: Address;
  /** Errors in the contract prices of the settings, one sentence each. */
  readonly problems: readonly string[];
}

export function sharedEntries(budgets: readonly TargetedBudget[], input: CompileInput): SharedEntries {
  const entries = new Map<string, string>();
  const add = (kind: 'budget' | 'prices' | 'names', name: string, text: string): Address => {
    const address = addressOf(kind, name, text, input.hash);
    entries.set(address, text);
    return address;
  };
  const spanning = budgets
    .filter((budget) => budget.spanning && budget.compiled !== null)
    .map(({ ref, compiled }) => [ref, add('budget', compiled!.name, encodeJSON(compiled))] as const);
  if (input.epoch !== null) entries.set(EPOCH_ENTRY, encodeJSON(input.epoch));
  const names = add('names', LIST_OF_NAMES, nameList(input));
  return {
    entries,
    spanning: new Map(spanning),
    names,
    ...addPrices(input, (name, text) => add('prices', name, text)),
  };
}

/** Adds the book of list prices, and one for each contract of the settings. */
function addPrices(
  input: CompileInput,
  add: (name: string, text: string) => Address,
): Pick<SharedEntries, 'pricesOf' | 'problems'> {
  const { pricing } = input.settings;
  const list = listPrices(input);
  const listed = add(LIST, list);
  const books = pricing.map((one) => contractBook(list, one));
  const agreed = books.map((book, i) => (book.ok ? add(`contract-${i}`, book.value) : listed));
  const problems = books.flatMap((book, i) => (book.ok ? [] : [`setting pricing, entry ${i}: ${book.error}`]));
  return { pricesOf: (namespace) => agreed[pricingOf(namespace, pricing)] ?? listed, problems };
}

/** The name of the book of list prices. */
const LIST = 'book';

/** The text of the book of list prices. If an administrator's book turns invalid, the stored one stays in force. */
function listPrices({ prices, previous }: CompileInput): string {
  const books = prices.fallback ? [...(previous.shared?.books ?? [])] : [];
  const stored = books.find(([address]) => address.startsWith(`prices.${LIST}.`))?.[1];
  return stored?.text ?? prices.text;
}

const LIST_OF_NAMES = 'list';

/**
 * The text of the list of names, with those under which a call cost more than its bound: they stay until a person lists
 * them. If an administrator's list turns invalid, the stored one stays in force.
 */
function nameList({ names, exceeded, previous }: CompileInput): string {
  const stored = [...(previous.shared?.names.values() ?? [])][0];
  const known = [...(stored?.list.exceeded ?? []), ...exceeded];
  return storedNames(names.fallback && stored !== undefined ? stored.text : names.text, known);
}

/** The write of the shared shard; null if it is stored with these entries already. */
export function writeShared({ entries }: SharedEntries, { previous, now, hash }: CompileInput): ShardWrite | null {
  const stored = previous.shared;
  const names = stored === null ? [] : [stored.budgets, stored.books, stored.names].flatMap((all) => [...all.keys()]);
  const epoch = entries.get(EPOCH_ENTRY);
  const isSame =
    stored?.schema === COMPILED_SCHEMA &&
    (stored.epoch === null ? undefined : encodeJSON(stored.epoch)) === epoch &&
    names.every((address) => entries.has(address)) &&
    names.length + (epoch === undefined ? 0 : 1) === entries.size;
  if (isSame) return null;
  const revision = Math.max((stored?.revision ?? 0) + 1, now);
  return { kind: 'ConfigMap', name: SHARED_SHARD, revision, data: encodeShard(entries, revision, hash) };
}
