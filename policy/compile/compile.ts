import type { ObjectMeta } from '../../crds/types.gen.ts';
import { byName } from '../core/canonical-json.ts';
import { type Ref, refOf } from '../core/compiled-policy.ts';
import { shardNames, shardOf } from '../shards/shard-format.ts';
import type { PreviousShards } from '../shards/shard-set.ts';
import { placeBudgets } from './budget-places.ts';
import { type TargetedBudget, previousBudgets, targetBudget } from './budget-targets.ts';
import { CompileCache } from './compile-cache.ts';
import type { CompileInput } from './compile-input.ts';
import type { CompileOutput } from './compile-output.ts';
import { type AcceptedWorkspace, type ValidatedWorkspace, validateWorkspace } from './compile-workspace.ts';
import { draftWorkspace, storedWorkspace } from './draft-workspace.ts';
import { fitSpanning } from './fit-spanning.ts';
import { Outcomes } from './outcomes.ts';
import type { ShardPair, VersionedWorkspace } from './shard-pairs.ts';
import { buildPair, problemOf } from './shard-pairs.ts';
import { sharedEntries, writeShared } from './shared-shard.ts';

/**
 * Compiles all applied resources into what the gateways enforce, in one pure function over all of them: it fetches
 * nothing, throws nothing, and an invalid resource never affects another. A bad edit never removes protection: the last
 * accepted form stays in force, and the outcome says why the edit is not. What is too large keeps its last form too, with
 * what the edit suspends, revokes and lowers.
 *
 * Deterministic: the order of the input does not matter, and compiling again over the written shards changes nothing.
 * Total: an error in a resource becomes its outcome. `cache` only saves time; hand in the same one at each compilation.
 */
export function compile(input: CompileInput, cache: CompileCache = new CompileCache()): CompileOutput {
  const previous = previousWorkspaces(input.previous);
  const workspaces = byRef(input.workspaces).flatMap((one) => {
    const namespace = input.namespaces.get(one.metadata.namespace);
    return namespace === undefined
      ? []
      : validateWorkspace(one, namespace, previous.get(refOf(one.metadata)), input, cache);
  });
  const existing = new Map(workspaces.map(({ ref, own }) => [ref, own]));
  let budgetsBefore: ReturnType<typeof previousBudgets> | undefined;
  const previousOf = (ref: Ref) => (budgetsBefore ??= previousBudgets(input.previous)).get(ref);
  const budgets = byRef(input.budgets).map((one) => targetBudget(one, previousOf, existing, input, cache));
  return buildOutput(workspaces, placeBudgets(fitSpanning(budgets, existing, input, cache)), input, cache);
}

function previousWorkspaces({ policy, keys }: PreviousShards): ReadonlyMap<Ref, AcceptedWorkspace> {
  const credentials = new Map([...keys.values()].flatMap((shard) => [...shard.credentials]));
  const workspaces = [...policy.values()]
    .flatMap((shard) => [...shard.workspaces])
    .flatMap(([ref, workspace]) => {
      const entry = credentials.get(ref);
      return entry === undefined ? [] : [[ref, { workspace, credentials: entry.credentials }] as const];
    });
  return new Map(workspaces);
}

function byRef<T extends { readonly metadata: ObjectMeta }>(resources: readonly T[]): readonly T[] {
  const named = resources.map((one) => [refOf(one.metadata), one] as const);
  return named.toSorted(byName).map(([, one]) => one);
}

/** The shards that changed, with versions, fences, and all outcomes. Both lists are sorted by `namespace/name`. */
function buildOutput(
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
  const outcomes = new Outcomes(pairs, shared.spanning);
  return {
    shards: [
      ...(blocked === null ? present(sharedWrite) : []),
      ...fitting.flatMap((pair) => present(pair.keys)),
      ...fitting.flatMap((pair) => present(pair.policy)),
    ],
    ...fencesOf(fitting, outcomes.inForce, input),
    workspaces: new Map(workspaces.map((one) => [one.ref, outcomes.ofWorkspace(one, applied.get(one.ref) ?? [])])),
    budgets: new Map(budgets.map((one) => [one.ref, outcomes.ofBudget(one)])),
    problems: [...shared.problems, blocked, ...pairs.map(({ problem }) => problem)].flatMap((problem) => problem ?? []),
  };
}

function byWorkspace(budgets: readonly TargetedBudget[]): ReadonlyMap<Ref, readonly TargetedBudget[]> {
  const applied = new Map<Ref, TargetedBudget[]>();
  for (const budget of budgets) {
    for (const workspace of budget.compiled === null ? [] : budget.workspaces) {
      const others = applied.get(workspace);
      if (others === undefined) applied.set(workspace, [budget]);
      else others.push(budget);
    }
  }
  return applied;
}

function fencesOf(
  pairs: readonly ShardPair[],
  compiled: ReadonlyMap<Ref, VersionedWorkspace>,
  { previous, fences, settings }: CompileInput,
): Pick<CompileOutput, 'fences' | 'gone'> {
  const stored = [...previous.policy.values()].flatMap((one) => [...one.workspaces.keys()]);
  const known = [...new Set([...fences.keys(), ...stored])].filter((ref) => !compiled.has(ref));
  const targets = pairs.flatMap(({ workspaces }) =>
    workspaces.map(({ ref, workspace }) => [ref, workspace.version] as const),
  );
  const gone = pairs.flatMap(({ shard, revision }) =>
    known
      .filter((ref) => shardOf(ref, settings.shards) === shard)
      .map((ref) => [ref, Math.max(revision, (storedWorkspace(previous, ref)?.workspace.version ?? 0) + 1)] as const),
  );
  return { fences: new Map(targets.filter(([ref, target]) => target > (fences.get(ref) ?? -1))), gone: new Map(gone) };
}

function present<T>(value: T | null): readonly T[] {
  return value === null ? [] : [value];
}
