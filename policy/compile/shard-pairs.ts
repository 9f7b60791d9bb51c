/**
 * The shards of workspaces, in pairs: a ConfigMap with compiled workspaces and a Secret with their credentials. A changed
 * workspace gets a version above every one that its shard and its fence ever had, and the shard's revision is that
 * version, so a gateway that enforces the shard at a revision enforces all its workspaces up to there.
 */

import { encodeJSON } from '../core/canonical-json.ts';
import { COMPILED_SCHEMA, type CompiledWorkspace, type Ref } from '../core/compiled-policy.ts';
import { deepEqual } from '../core/deep-equal.ts';
import type { TargetedBudget } from './budget-targets.ts';
import type { CompileCache } from './compile-cache.ts';
import type { CompileInput, PreviousShards } from './compile-input.ts';
import type { RequiredVersion, ShardWrite } from './compile-output.ts';
import type { ValidatedWorkspace } from './compile-workspace.ts';
import { entryName } from './shard-contents.ts';
import { encodeShard, oversize, shardNames, shardOf } from './shard-format.ts';
import type { SharedEntries } from './shared-shard.ts';

/** A workspace without its version. */
export interface DraftWorkspace {
  readonly ref: Ref;
  readonly shard: number;
  readonly content: Omit<CompiledWorkspace, 'version'>;
  /** JSON. */
  readonly credentials: string;
}

export interface VersionedWorkspace {
  readonly ref: Ref;
  readonly workspace: CompiledWorkspace;
  /** The stored JSON, if the workspace is stored with this content already. */
  readonly stored: string | null;
  readonly required: RequiredVersion;
}

/** A policy shard and its keys shard; a write is null if nothing changed. */
export interface ShardPair {
  readonly shard: number;
  readonly revision: number;
  readonly workspaces: readonly VersionedWorkspace[];
  readonly policy: ShardWrite | null;
  readonly keys: ShardWrite | null;
  /** Why the pair cannot be written. */
  readonly problem: string | null;
}

/** Joins a workspace with the budgets that apply to it and what it shares; null if nothing of it was ever accepted. */
export function draftWorkspace(
  { ref, own, credentials }: ValidatedWorkspace,
  applied: readonly TargetedBudget[],
  shared: SharedEntries,
  { settings, hash }: CompileInput,
): DraftWorkspace | null {
  if (own === null) return null;
  const text = encodeJSON(credentials);
  const budgets = applied.flatMap(({ spanning, compiled }) => (spanning || compiled === null ? [] : compiled));
  const spanning = applied.flatMap((budget) => (budget.spanning ? shared.spanning.get(budget.ref)! : []));
  const content = { ...own, budgets, spanning, prices: shared.pricesOf(own.namespace), credentials: hash(text) };
  return { ref, shard: shardOf(ref, settings.shards), content, credentials: text };
}

/** Gives the workspaces of a pair their versions and builds its writes. */
export function buildPair(
  shard: number,
  all: readonly DraftWorkspace[],
  input: CompileInput,
  cache: CompileCache,
): ShardPair {
  const names = shardNames(input.settings.shards);
  const drafts = all.filter((draft) => draft.shard === shard);
  const { revision, changed, workspaces } = version(names.policy[shard]!, drafts, input, cache);
  const policy = changed ? writePolicy(names.policy[shard]!, revision, workspaces, input) : null;
  const keys = writeKeys(names.keys[shard]!, drafts, input);
  return { shard, revision, workspaces, policy, keys, problem: problemOf(policy) ?? problemOf(keys) };
}

/** Why a shard cannot be written; null if it can or need not be. */
export function problemOf(write: ShardWrite | null): string | null {
  return write === null ? null : oversize(write.name, write.data);
}

/** A stored workspace and its JSON, from any shard: another number of shards moves it without changing it. */
export function storedWorkspace(
  { policy }: PreviousShards,
  ref: Ref,
): { readonly workspace: CompiledWorkspace; readonly text: string } | null {
  for (const { workspaces, texts } of policy.values()) {
    const [workspace, text] = [workspaces.get(ref), texts.get(ref)];
    if (workspace !== undefined && text !== undefined) return { workspace, text };
  }
  return null;
}

function version(
  name: string,
  drafts: readonly DraftWorkspace[],
  { previous, fences, now }: CompileInput,
  cache: CompileCache,
): Pick<ShardPair, 'revision' | 'workspaces'> & { readonly changed: boolean } {
  const before = previous.policy.get(name);
  const unchanged = drafts.map(({ ref, content }) => {
    const stored = storedWorkspace(previous, ref);
    return stored !== null && isUnchanged(content, stored.workspace, cache) ? stored : null;
  });
  const changed =
    before?.schema !== COMPILED_SCHEMA ||
    unchanged.includes(null) ||
    drafts.length !== before.workspaces.size ||
    drafts.some(({ ref }) => !before.workspaces.has(ref));
  const next = Math.max(
    (before?.revision ?? 0) + 1,
    now,
    ...unchanged.map((stored) => stored?.workspace.version ?? 0),
    ...drafts.map(({ ref }, i) => (unchanged[i] === null ? (fences.get(ref) ?? -1) + 1 : 0)),
  );
  const workspaces = drafts.map(({ ref, content }, i) => {
    const stored = unchanged[i] ?? null;
    const workspace = { ...content, version: stored?.workspace.version ?? next };
    const required = { workspace: ref, shard: name, version: workspace.version };
    return { ref, workspace, stored: stored?.text ?? null, required };
  });
  return { revision: changed ? next : before.revision, changed, workspaces };
}

function isUnchanged(
  { budgets, ...content }: DraftWorkspace['content'],
  stored: CompiledWorkspace,
  cache: CompileCache,
): boolean {
  const { budgets: storedBudgets, version: _, ...rest } = stored;
  if (budgets.length !== storedBudgets.length || !deepEqual(content, rest)) return false;
  return budgets.every((budget, i) => cache.equals(budget, storedBudgets[i]));
}

function writePolicy(
  name: string,
  revision: number,
  workspaces: readonly VersionedWorkspace[],
  { hash }: CompileInput,
): ShardWrite {
  const entries = new Map(
    workspaces.map(({ workspace, stored }) => [entryName(workspace), stored ?? encodeJSON(workspace)]),
  );
  return { kind: 'ConfigMap', name, revision, data: encodeShard(entries, revision, hash) };
}

function writeKeys(
  name: string,
  drafts: readonly DraftWorkspace[],
  { previous, now, hash }: CompileInput,
): ShardWrite | null {
  const stored = previous.keys.get(name);
  const isSame =
    stored?.schema === COMPILED_SCHEMA &&
    stored.credentials.size === drafts.length &&
    drafts.every(({ ref, content }) => stored.credentials.get(ref)?.checksum === content.credentials);
  if (isSame) return null;
  const revision = Math.max((stored?.revision ?? 0) + 1, now);
  const entries = new Map(drafts.map(({ content, credentials }) => [entryName(content), credentials]));
  return { kind: 'Secret', name, revision, data: encodeShard(entries, revision, hash) };
}
