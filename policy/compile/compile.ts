/**
 * Compiles all applied resources into what the gateways enforce, in one pure function over all of them: it fetches
 * nothing, throws nothing, and an invalid resource never affects another. A bad edit never removes protection: the last
 * accepted form stays in force, and the outcome says why the edit is not.
 */

import type { ObjectMeta } from '../../crds/types.gen.ts';
import { byName } from '../core/canonical-json.ts';
import { type Ref, refOf } from '../core/compiled-policy.ts';
import { previousBudgets, targetBudget } from './budget-targets.ts';
import { buildOutput } from './build-output.ts';
import { CompileCache } from './compile-cache.ts';
import type { CompileInput, PreviousShards } from './compile-input.ts';
import type { CompileOutput } from './compile-output.ts';
import { type AcceptedWorkspace, validateWorkspace } from './compile-workspace.ts';

/**
 * Deterministic: the order of the input does not matter, and compiling again over the written shards changes nothing.
 * Total: an error in a resource becomes its outcome. `cache` only saves time; hand in the same one at each compilation.
 */
export function compile(input: CompileInput, cache: CompileCache = new CompileCache()): CompileOutput {
  const previous = previousWorkspaces(input.previous);
  const workspaces = byRef(input.workspaces).map((one) =>
    validateWorkspace(one, previous.get(refOf(one.metadata)), input),
  );
  const existing = new Map(workspaces.map(({ ref, own }) => [ref, own]));
  let budgetsBefore: ReturnType<typeof previousBudgets> | undefined;
  const previousOf = (ref: Ref) => (budgetsBefore ??= previousBudgets(input.previous)).get(ref);
  const budgets = byRef(input.budgets).map((one) => targetBudget(one, previousOf, existing, input, cache));
  return buildOutput(workspaces, budgets, input, cache);
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
