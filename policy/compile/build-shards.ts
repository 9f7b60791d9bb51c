/**
 * From what is in force to the shards, with versions, and to the fences that follow. Only what changed is written: a
 * changed workspace gets a version above every one that its shard and its fence ever had, and the shard's revision is
 * that version, so a gateway that enforces the shard at a revision enforces all its workspaces up to there.
 */

import { encodeJSON } from '../core/canonical-json.ts';
import type { Address, CompiledBudget, CompiledWorkspace, Ref } from '../core/compiled-policy.ts';
import { deepEqual } from '../core/deep-equal.ts';
import { contractBook, pricingOf } from '../prices/contract-prices.ts';
import type { TargetedBudget } from './budget-targets.ts';
import type {
  BudgetVerdict,
  CompileInput,
  CompileOutput,
  Proof,
  ShardWrite,
  WorkspaceVerdict,
} from './compile-types.ts';
import type { ValidatedWorkspace } from './compile-workspace.ts';
import { addressOf, entryName, EPOCH_ENTRY, type KeysShard, workspaceText } from './shard-codec.ts';
import { encodeShard, type Hash, oversize, SHARED_SHARD, shardNames, shardOf } from './shards.ts';

/** Writes what was judged; both lists are sorted by `namespace/name`. */
export function buildShards(
  workspaces: readonly ValidatedWorkspace[],
  budgets: readonly TargetedBudget[],
  input: CompileInput,
): CompileOutput {
  const governing = byWorkspace(budgets);
  const shared = shareOf(budgets, input);
  const sharedWrite = writeShared(shared, input);
  const sealed = workspaces.flatMap((one) => seal(one, governing.get(one.ref) ?? [], shared, input) ?? []);
  const pairs = shardNames(input.settings.shards).policy.map((_name, i) => draftPair(i, sealed, input));
  const blocked = problemOf(sharedWrite);
  const fitting = blocked === null ? pairs.filter(({ problem }) => problem === null) : [];
  const compiled = new Map(pairs.flatMap((pair) => pair.workspaces.map((one) => [one.ref, one] as const)));
  return {
    shards: [
      ...(blocked === null ? present(sharedWrite) : []),
      ...fitting.flatMap((pair) => present(pair.keys)),
      ...fitting.flatMap((pair) => present(pair.policy)),
    ],
    fences: fencesOf(fitting, compiled, input),
    workspaces: new Map(
      workspaces.map((one) => [one.ref, workspaceVerdict(one, governing.get(one.ref) ?? [], compiled.get(one.ref))]),
    ),
    budgets: new Map(budgets.map((one) => [one.ref, budgetVerdict(one, compiled)])),
    problems: [...shared.problems, blocked, ...pairs.map(({ problem }) => problem)].flatMap((problem) => problem ?? []),
  };
}

function byWorkspace(budgets: readonly TargetedBudget[]): ReadonlyMap<Ref, readonly TargetedBudget[]> {
  const governing = new Map<Ref, TargetedBudget[]>();
  for (const budget of budgets) {
    for (const workspace of budget.compiled === null ? [] : budget.governs) {
      governing.set(workspace, [...(governing.get(workspace) ?? []), budget]);
    }
  }
  return governing;
}

/** What all workspaces share, by the names that they use for it. */
interface Share {
  readonly entries: ReadonlyMap<string, string>;
  readonly spanning: ReadonlyMap<Ref, Address>;
  /** Of the price book of a namespace. */
  readonly pricesOf: (namespace: string) => Address;
  /** What is wrong with the prices that the settings agree. */
  readonly problems: readonly string[];
}

function shareOf(budgets: readonly TargetedBudget[], input: CompileInput): Share {
  const entries = new Map<string, string>();
  const share = (kind: 'budget' | 'prices', name: string, text: string): Address => {
    const address = addressOf(kind, name, text, input.hash);
    entries.set(address, text);
    return address;
  };
  const spanning = budgets
    .filter((budget) => budget.spanning && budget.governs.length > 0)
    .map(({ ref, compiled }) => [ref, share('budget', compiled!.name, encodeJSON(compiled))] as const);
  if (input.epoch !== null) entries.set(EPOCH_ENTRY, encodeJSON(input.epoch));
  return { entries, spanning: new Map(spanning), ...sharedPrices(input, (name, text) => share('prices', name, text)) };
}

/** The list prices, and what the settings make of them for some namespaces. */
function sharedPrices(
  input: CompileInput,
  share: (name: string, text: string) => Address,
): Pick<Share, 'pricesOf' | 'problems'> {
  const { pricing } = input.settings;
  const list = pricesText(input);
  const listed = share(LIST, list);
  const books = pricing.map((one) => contractBook(list, one));
  const agreed = books.map((book, i) => ('problem' in book ? listed : share(`contract-${i}`, book.text)));
  const problems = books.flatMap((book, i) =>
    'problem' in book ? [`setting pricing, entry ${i}: ${book.problem}`] : [],
  );
  return { pricesOf: (namespace) => agreed[pricingOf(namespace, pricing)] ?? listed, problems };
}

/** The name of the book with the list prices. */
const LIST = 'book';

/** An administrator's book that turned invalid leaves the one that stands in force. */
function pricesText({ prices, previous }: CompileInput): string {
  const books = prices.fallback ? [...(previous.shared?.books ?? [])] : [];
  const stood = books.find(([address]) => address.startsWith(`prices.${LIST}.`))?.[1];
  return stood?.text ?? prices.text;
}

function writeShared({ entries }: Share, { previous, now, hash }: CompileInput): ShardWrite | null {
  const before = previous.shared;
  const names = before === null ? [] : [...before.budgets.keys(), ...before.books.keys()];
  const epoch = entries.get(EPOCH_ENTRY);
  const same =
    before !== null &&
    (before.epoch === null ? undefined : encodeJSON(before.epoch)) === epoch &&
    names.every((address) => entries.has(address)) &&
    names.length + (epoch === undefined ? 0 : 1) === entries.size;
  if (same) return null;
  const revision = Math.max((before?.revision ?? 0) + 1, now);
  return { kind: 'ConfigMap', name: SHARED_SHARD, revision, data: encodeShard(entries, revision, hash) };
}

/** A workspace but for its version. */
interface Sealed {
  readonly ref: Ref;
  readonly shard: number;
  readonly content: Omit<CompiledWorkspace, 'version'>;
  readonly credentials: string;
}

function seal(
  { ref, own, credentials }: ValidatedWorkspace,
  governing: readonly TargetedBudget[],
  shared: Share,
  { settings, hash }: CompileInput,
): Sealed | null {
  if (own === null) return null;
  const text = encodeJSON(credentials);
  const budgets = governing.flatMap(({ spanning, compiled }) => (spanning || compiled === null ? [] : compiled));
  const spanning = governing.flatMap((budget) => (budget.spanning ? shared.spanning.get(budget.ref)! : []));
  const content = { ...own, budgets, spanning, prices: shared.pricesOf(own.namespace), credentials: hash(text) };
  return { ref, shard: shardOf(ref, settings.shards), content, credentials: text };
}

/** A policy shard and its keys shard; a write is null where nothing changed. */
interface Pair {
  readonly shard: number;
  readonly revision: number;
  readonly workspaces: readonly Placed[];
  readonly policy: ShardWrite | null;
  readonly keys: ShardWrite | null;
  /** Why the pair cannot be written. */
  readonly problem: string | null;
}

interface Placed {
  readonly ref: Ref;
  readonly workspace: CompiledWorkspace;
  /** What is stored of it, where that says the same: it need not be written out again. */
  readonly stood: CompiledWorkspace | null;
  readonly proof: Proof;
}

function draftPair(shard: number, sealed: readonly Sealed[], input: CompileInput): Pair {
  const names = shardNames(input.settings.shards);
  const members = sealed.filter((one) => one.shard === shard);
  const { revision, changed, workspaces } = version(names.policy[shard]!, members, input);
  const policy = changed ? writePolicy(names.policy[shard]!, revision, workspaces, input.hash) : null;
  const keys = writeKeys(names.keys[shard]!, members, input);
  return { shard, revision, workspaces, policy, keys, problem: problemOf(policy) ?? problemOf(keys) };
}

function writePolicy(name: string, revision: number, workspaces: readonly Placed[], hash: Hash): ShardWrite {
  const entries = new Map(
    workspaces.map(({ workspace, stood }) => [entryName(workspace), workspaceText(stood ?? workspace)]),
  );
  return { kind: 'ConfigMap', name, revision, data: encodeShard(entries, revision, hash) };
}

function version(
  name: string,
  members: readonly Sealed[],
  { previous, fences, now }: CompileInput,
): Pick<Pair, 'revision' | 'workspaces'> & { readonly changed: boolean } {
  const before = previous.policy.get(name);
  const standing = members.map(({ ref, content }) => {
    const stood = stoodAs(previous, ref);
    return stood !== undefined && stands(content, stood) ? stood : null;
  });
  const changed =
    before === undefined ||
    standing.includes(null) ||
    members.length !== before.workspaces.size ||
    members.some(({ ref }) => !before.workspaces.has(ref));
  const next = Math.max(
    (before?.revision ?? 0) + 1,
    now,
    ...standing.map((stood) => stood?.version ?? 0),
    ...members.map(({ ref }, i) => (standing[i] === null ? (fences.get(ref) ?? -1) + 1 : 0)),
  );
  const workspaces = members.map(({ ref, content }, i) => {
    const stood = standing[i] ?? null;
    const workspace = { ...content, version: stood?.version ?? next };
    return { ref, workspace, stood, proof: { workspace: ref, shard: name, version: workspace.version } };
  });
  return { revision: changed ? next : before.revision, changed, workspaces };
}

/** The compiled budget, and the stored one that was found to say the same: both stay the same objects while they stand. */
const same = new WeakMap<CompiledBudget, CompiledBudget>();

/** Whether a workspace says what is stored of it. */
function stands({ budgets, ...content }: Sealed['content'], stored: CompiledWorkspace): boolean {
  const { budgets: stood, version: _, ...rest } = stored;
  if (budgets.length !== stood.length || !deepEqual(content, rest)) return false;
  return budgets.every((budget, i) => {
    if (same.get(budget) === stood[i]) return true;
    if (!deepEqual(budget, stood[i])) return false;
    same.set(budget, stood[i]!);
    return true;
  });
}

/** Wherever it stands: another number of shards moves a workspace without changing it. */
function stoodAs({ policy }: CompileInput['previous'], ref: Ref): CompiledWorkspace | undefined {
  for (const { workspaces } of policy.values()) {
    const stood = workspaces.get(ref);
    if (stood !== undefined) return stood;
  }
  return undefined;
}

function writeKeys(name: string, members: readonly Sealed[], { previous, now, hash }: CompileInput): ShardWrite | null {
  const before: KeysShard | undefined = previous.keys.get(name);
  const same =
    before !== undefined &&
    before.credentials.size === members.length &&
    members.every(({ ref, content }) => before.credentials.get(ref)?.checksum === content.credentials);
  if (same) return null;
  const revision = Math.max((before?.revision ?? 0) + 1, now);
  const entries = new Map(members.map(({ content, credentials }) => [entryName(content), credentials]));
  return { kind: 'Secret', name, revision, data: encodeShard(entries, revision, hash) };
}

/** A workspace that is gone has its fence above all that any gateway may still hold of it. */
function fencesOf(
  pairs: readonly Pair[],
  compiled: ReadonlyMap<Ref, Placed>,
  { previous, fences, settings }: CompileInput,
): ReadonlyMap<Ref, number> {
  const known = new Set([
    ...fences.keys(),
    ...[...previous.policy.values()].flatMap((one) => [...one.workspaces.keys()]),
  ]);
  const targets = pairs.flatMap(({ shard, revision, workspaces }) => [
    ...workspaces.map(({ ref, workspace }) => [ref, workspace.version] as const),
    ...[...known]
      .filter((ref) => !compiled.has(ref) && shardOf(ref, settings.shards) === shard)
      .map((ref) => [ref, Math.max(revision, (stoodAs(previous, ref)?.version ?? 0) + 1)] as const),
  ]);
  return new Map(targets.filter(([ref, target]) => target > (fences.get(ref) ?? -1)));
}

function workspaceVerdict(
  { generation, accepted, credentials }: ValidatedWorkspace,
  governing: readonly TargetedBudget[],
  placed: Placed | undefined,
): WorkspaceVerdict {
  return {
    generation,
    accepted,
    inForce: placed?.workspace ?? null,
    budgets: governing.flatMap(({ compiled }) => compiled ?? []),
    upstreamKey: (credentials?.upstreamKey ?? null) !== null,
    proof: placed === undefined ? [] : [placed.proof],
  };
}

function budgetVerdict(
  { generation, accepted, compiled, spanning, governs }: TargetedBudget,
  placed: ReadonlyMap<Ref, Placed>,
): BudgetVerdict {
  return {
    generation,
    accepted,
    inForce: compiled,
    spanning,
    proof: governs.flatMap((ref) => placed.get(ref)?.proof ?? []),
  };
}

function problemOf(write: ShardWrite | null): string | null {
  return write === null ? null : oversize(write.name, write.data);
}

function present<T>(value: T | null): readonly T[] {
  return value === null ? [] : [value];
}
