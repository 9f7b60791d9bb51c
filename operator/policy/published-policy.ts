import type { KubeObject } from '../../kube/object.ts';
import type { CompileOutput } from '../../policy/compile/compile-output.ts';
import type { CompiledBudget } from '../../policy/core/compiled-policy.ts';

/** A policy that was compiled and written to the shards. */
export interface PublishedPolicy {
  readonly output: CompileOutput;
  /** The uids of the workspaces and budgets that it was compiled from. */
  readonly uids: ReadonlySet<string | undefined>;
}

/** Whether the outcome is about this generation of this object, and not about an earlier object of the same name. */
export function isOutcomeOf(
  { metadata }: KubeObject,
  outcome: { readonly generation: number } | undefined,
  { uids }: PublishedPolicy,
): boolean {
  return outcome?.generation === metadata.generation && uids.has(metadata.uid);
}

export function budgetsInForce({ budgets }: CompileOutput): readonly CompiledBudget[] {
  return [...budgets.values()].flatMap(({ inForce }) => inForce ?? []);
}
