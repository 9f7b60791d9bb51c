/**
 * From everything that was applied to everything that the gateways enforce, in one pure function over a bag of all
 * resources: it fetches nothing, throws nothing, and one bad object never touches another. A bad edit never removes
 * protection: what was last accepted stays in force and the verdict says why the edit is not.
 */

import type { ObjectMeta } from '../../crds/types.gen.ts';
import { byName } from '../core/canonical-json.ts';
import type { Ref } from '../core/compiled-policy.ts';
import { refOf } from '../core/compiled-policy.ts';
import { budgetsBefore, targetBudget } from './budget-targets.ts';
import { buildShards } from './build-shards.ts';
import type { CompileInput, CompileOutput, Previous } from './compile-types.ts';
import { validateWorkspace, type AcceptedWorkspace } from './compile-workspace.ts';

/**
 * Compiles. Deterministic: the order of the input does not matter, and compiling over what it wrote changes nothing.
 * Total: whatever is wrong with a resource becomes its verdict.
 */
export function compile(input: CompileInput): CompileOutput {
  const before = workspacesBefore(input.previous);
  const workspaces = byRef(input.workspaces).map((one) =>
    validateWorkspace(one, before.get(refOf(one.metadata)), input),
  );
  const inForce = new Map(workspaces.map(({ ref, own }) => [ref, own]));
  let stood: ReturnType<typeof budgetsBefore> | undefined;
  const stoodAs = (ref: Ref) => (stood ??= budgetsBefore(input.previous)).get(ref);
  const budgets = byRef(input.budgets).map((one) => targetBudget(one, stoodAs, inForce, input));
  return buildShards(workspaces, budgets, input);
}

function workspacesBefore({ policy, keys }: Previous): ReadonlyMap<Ref, AcceptedWorkspace> {
  const credentials = new Map([...keys.values()].flatMap((shard) => [...shard.credentials]));
  const standing = [...policy.values()]
    .flatMap((shard) => [...shard.workspaces])
    .flatMap(([ref, workspace]) => {
      const entry = credentials.get(ref);
      return entry === undefined ? [] : [[ref, { workspace, credentials: entry.credentials }] as const];
    });
  return new Map(standing);
}

function byRef<T extends { readonly metadata: ObjectMeta }>(resources: readonly T[]): readonly T[] {
  const named = resources.map((one) => [refOf(one.metadata), one] as const);
  return named.toSorted(byName).map(([, one]) => one);
}
