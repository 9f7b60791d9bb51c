import { type Address, type CompiledBudget, type Ref, refOf } from '../core/compiled-policy.ts';
import type { Bytes } from '../shards/shard-room.ts';
import type { TargetedBudget } from './budget-targets.ts';
import type { BudgetOutcome, WorkspaceOutcome } from './compile-output.ts';
import type { ValidatedWorkspace } from './compile-workspace.ts';
import type { ShardPair, VersionedWorkspace } from './shard-pairs.ts';
import { noRoomForSpanning, noRoomInShard } from './too-large.ts';

/** The outcome for each resource, by what is in force in all shards and what did not fit. */
export class Outcomes {
  readonly inForce: ReadonlyMap<Ref, VersionedWorkspace>;
  readonly #workspacesOut: ReadonlyMap<Ref, Excess>;
  readonly #budgetsOut: ReadonlyMap<Ref, Excess>;
  readonly #spanningOut: ReadonlyMap<Ref, readonly Address[]>;
  readonly #addresses: ReadonlyMap<Ref, Address>;

  /** `addresses`: of the spanning budgets, in the shared shard. */
  constructor(pairs: readonly ShardPair[], addresses: ReadonlyMap<Ref, Address>) {
    const excess = (kind: 'workspaces' | 'budgets') =>
      new Map(
        pairs.flatMap(({ shard, leftOut }) =>
          [...leftOut[kind]].map(([ref, bytes]) => [ref, { shard, bytes }] as const),
        ),
      );
    this.inForce = new Map(pairs.flatMap((pair) => pair.workspaces.map((one) => [one.ref, one] as const)));
    this.#workspacesOut = excess('workspaces');
    this.#budgetsOut = excess('budgets');
    this.#spanningOut = new Map(pairs.flatMap(({ leftOut }) => [...leftOut.spanning]));
    this.#addresses = addresses;
  }

  ofWorkspace(
    { ref, generation, accepted, credentials }: ValidatedWorkspace,
    applied: readonly TargetedBudget[],
  ): WorkspaceOutcome {
    const versioned = this.inForce.get(ref);
    const excess = this.#workspacesOut.get(ref);
    return {
      generation,
      accepted: excess === undefined ? accepted : finding('ClaudeWorkspace', excess, versioned !== undefined),
      inForce: versioned?.workspace ?? null,
      budgets: versioned === undefined ? [] : applied.flatMap((budget) => this.#formIn(versioned, budget) ?? []),
      upstreamKey: (credentials?.upstreamKey ?? null) !== null,
      required: versioned === undefined ? [] : [versioned.required],
    };
  }

  ofBudget(budget: TargetedBudget): BudgetOutcome {
    const { ref, generation, accepted, compiled, spanning, workspaces } = budget;
    const excess = this.#budgetsOut.get(ref);
    const versioned = workspaces.flatMap((workspace) => this.inForce.get(workspace) ?? []);
    const out = spanning ? versioned.filter((one) => this.#formIn(one, budget) === null).length : 0;
    const inForce = excess === undefined ? compiled : this.#formIn(versioned[0]!, budget);
    return {
      generation,
      accepted:
        out > 0
          ? noRoomForSpanning(out)
          : excess === undefined
            ? accepted
            : finding('ClaudeBudget', excess, inForce !== null),
      inForce,
      spanning,
      required: versioned.map(({ required }) => required),
    };
  }

  /** The form of a budget that applies to a workspace; null if none does. */
  #formIn({ ref, workspace }: VersionedWorkspace, budget: TargetedBudget): CompiledBudget | null {
    if (budget.spanning) {
      const isOut = this.#spanningOut.get(ref)?.includes(this.#addresses.get(budget.ref)!) ?? false;
      return isOut ? null : budget.compiled;
    }
    if (!this.#budgetsOut.has(budget.ref)) return budget.compiled;
    return workspace.budgets.find((one) => refOf(one) === budget.ref) ?? null;
  }
}

interface Excess {
  readonly shard: number;
  readonly bytes: Bytes;
}

function finding(kind: 'ClaudeWorkspace' | 'ClaudeBudget', { shard, bytes }: Excess, isInForce: boolean) {
  return noRoomInShard(kind, bytes, { shard, isInForce });
}
