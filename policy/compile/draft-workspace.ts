import { encodeJSON } from '../core/canonical-json.ts';
import type { Address, CompiledBudget, CompiledWorkspace, Credentials, Ref } from '../core/compiled-policy.ts';
import { deepEqual } from '../core/deep-equal.ts';
import type { KeysEntry } from '../shards/shard-contents.ts';
import { shardOf } from '../shards/shard-format.ts';
import type { PreviousShards } from '../shards/shard-set.ts';
import type { TargetedBudget } from './budget-targets.ts';
import type { CompileCache } from './compile-cache.ts';
import type { CompileInput } from './compile-input.ts';
import type { OwnPart, ValidatedWorkspace } from './compile-workspace.ts';
import type { SharedEntries } from './shared-shard.ts';

/** A workspace with everything that was accepted, whether or not it fits into its shards. */
export interface DraftWorkspace {
  readonly ref: Ref;
  readonly shard: number;
  /** RFC 3339. */
  readonly created: string;
  readonly own: OwnPart;
  readonly credentials: Credentials;
  /** The budgets of its namespace that name it. */
  readonly budgets: readonly { readonly created: string; readonly compiled: CompiledBudget }[];
  readonly spanning: readonly Address[];
  readonly prices: Address;
  readonly names: Address;
}

/** A workspace as it goes into its shards, without its version. */
export interface FittedWorkspace {
  readonly ref: Ref;
  readonly content: Omit<CompiledWorkspace, 'version'>;
  /** JSON. */
  readonly credentials: string;
}

/** Joins a workspace with the budgets that apply to it and what it shares; null if nothing of it was ever accepted. */
export function draftWorkspace(
  { ref, created, own, credentials }: ValidatedWorkspace,
  applied: readonly TargetedBudget[],
  shared: SharedEntries,
  { settings }: CompileInput,
): DraftWorkspace | null {
  if (own === null || credentials === null) return null;
  const budgets = applied.flatMap((one) =>
    one.spanning || one.compiled === null ? [] : { created: one.created, compiled: one.compiled },
  );
  const spanning = applied.flatMap((budget) => (budget.spanning ? shared.spanning.get(budget.ref)! : []));
  const prices = shared.pricesOf(own.namespace);
  return {
    ref,
    shard: shardOf(ref, settings.shards),
    created,
    own,
    credentials,
    budgets,
    spanning,
    prices,
    names: shared.names,
  };
}

/** Puts together what goes into the shards of a draft: all of it, or what fits. */
export function fittedWorkspace(
  { ref, prices, names }: DraftWorkspace,
  forms: {
    readonly own: OwnPart;
    readonly credentials: Credentials;
    readonly budgets: readonly CompiledBudget[];
    readonly spanning: readonly Address[];
  },
  { hash }: Pick<CompileInput, 'hash'>,
): FittedWorkspace {
  const { own, budgets, spanning } = forms;
  const credentials = encodeJSON(forms.credentials);
  return { ref, content: { ...own, budgets, spanning, prices, names, credentials: hash(credentials) }, credentials };
}

export interface StoredWorkspace {
  readonly workspace: CompiledWorkspace;
  /** Its JSON. */
  readonly text: string;
}

/** A stored workspace, from any shard: another number of shards moves it without changing it. */
export function storedWorkspace({ policy }: PreviousShards, ref: Ref): StoredWorkspace | null {
  for (const { workspaces, texts } of policy.values()) {
    const [workspace, text] = [workspaces.get(ref), texts.get(ref)];
    if (workspace !== undefined && text !== undefined) return { workspace, text };
  }
  return null;
}

/** The stored credentials of a workspace, from any shard. */
export function storedCredentials({ keys }: PreviousShards, ref: Ref): KeysEntry | undefined {
  for (const { credentials } of keys.values()) {
    const entry = credentials.get(ref);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

/** Whether a workspace is stored as it is. */
export function isStored(
  { budgets, ...content }: FittedWorkspace['content'],
  stored: CompiledWorkspace,
  cache: CompileCache,
): boolean {
  const { budgets: storedBudgets, version: _, ...rest } = stored;
  if (budgets.length !== storedBudgets.length || !deepEqual(content, rest)) return false;
  return budgets.every((budget, i) => cache.equals(budget, storedBudgets[i]));
}
