/** Builds the compiler's output: shards with versions, fences, and the outcome of every resource. Only what changed is written. */

import type { Ref } from '../core/compiled-policy.ts';
import type { TargetedBudget } from './budget-targets.ts';
import type { CompileCache } from './compile-cache.ts';
import type { CompileInput } from './compile-input.ts';
import type { BudgetOutcome, CompileOutput, WorkspaceOutcome } from './compile-output.ts';
import type { ValidatedWorkspace } from './compile-workspace.ts';
import { shardNames, shardOf } from './shard-format.ts';
import {
  buildPair,
  draftWorkspace,
  problemOf,
  type ShardPair,
  storedWorkspace,
  type VersionedWorkspace,
} from './shard-pairs.ts';
import { sharedEntries, writeShared } from './shared-shard.ts';

/** Builds the output; both lists are sorted by `namespace/name`. */
export function buildOutput(
  workspaces: readonly ValidatedWorkspace[],
  budgets: readonly TargetedBudget[],
  input: CompileInput,
  cache: CompileCache,
): CompileOutput {
  const applied = byWorkspace(budgets);
  const shared = sharedEntries(budgets, input);
  const sharedWrite = writeShared(shared, input);
  const drafts = workspaces.flatMap((one) => draftWorkspace(one, applied.get(one.ref) ?? [], shared, input) ?? []);
  const pairs = shardNames(input.settings.shards).policy.map((_name, i) => buildPair(i, drafts, input, cache));
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
      workspaces.map((one) => [one.ref, workspaceOutcome(one, applied.get(one.ref) ?? [], compiled.get(one.ref))]),
    ),
    budgets: new Map(budgets.map((one) => [one.ref, budgetOutcome(one, compiled)])),
    problems: [...shared.problems, blocked, ...pairs.map(({ problem }) => problem)].flatMap((problem) => problem ?? []),
  };
}

function byWorkspace(budgets: readonly TargetedBudget[]): ReadonlyMap<Ref, readonly TargetedBudget[]> {
  const applied = new Map<Ref, TargetedBudget[]>();
  for (const budget of budgets) {
    for (const workspace of budget.compiled === null ? [] : budget.workspaces) {
      applied.set(workspace, [...(applied.get(workspace) ?? []), budget]);
    }
  }
  return applied;
}

/** The fence of a deleted workspace rises above every version that a gateway may still hold of it. */
function fencesOf(
  pairs: readonly ShardPair[],
  compiled: ReadonlyMap<Ref, VersionedWorkspace>,
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
      .map((ref) => [ref, Math.max(revision, (storedWorkspace(previous, ref)?.workspace.version ?? 0) + 1)] as const),
  ]);
  return new Map(targets.filter(([ref, target]) => target > (fences.get(ref) ?? -1)));
}

function workspaceOutcome(
  { generation, accepted, credentials }: ValidatedWorkspace,
  applied: readonly TargetedBudget[],
  versioned: VersionedWorkspace | undefined,
): WorkspaceOutcome {
  return {
    generation,
    accepted,
    inForce: versioned?.workspace ?? null,
    budgets: applied.flatMap(({ compiled }) => compiled ?? []),
    upstreamKey: (credentials?.upstreamKey ?? null) !== null,
    required: versioned === undefined ? [] : [versioned.required],
  };
}

function budgetOutcome(
  { generation, accepted, compiled, spanning, workspaces }: TargetedBudget,
  versioned: ReadonlyMap<Ref, VersionedWorkspace>,
): BudgetOutcome {
  return {
    generation,
    accepted,
    inForce: compiled,
    spanning,
    required: workspaces.flatMap((ref) => versioned.get(ref)?.required ?? []),
  };
}

function present<T>(value: T | null): readonly T[] {
  return value === null ? [] : [value];
}
