import type { CompiledBudget, CompiledWorkspace, Ref } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import type { ShardData } from '../shards/shard-format.ts';

/** What to write, and the outcome for each resource. */
export interface CompileOutput {
  /** Only what changed. Write them in this order, then raise the fences. */
  readonly shards: readonly ShardWrite[];
  /**
   * The fences that are too low in `CompileInput.fences`. Raise these and no others: a shard that does not fit is not
   * written, and a fence for its versions would stop all calls.
   */
  readonly fences: ReadonlyMap<Ref, number>;
  /** Of workspaces that are in force no more: a version above every one that a gateway may still hold. */
  readonly gone: ReadonlyMap<Ref, number>;
  readonly workspaces: ReadonlyMap<Ref, WorkspaceOutcome>;
  readonly budgets: ReadonlyMap<Ref, BudgetOutcome>;
  /** Errors for the administrator of the installation, one sentence each. */
  readonly problems: readonly string[];
}

/** A shard with all of its new data. */
export interface ShardWrite {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly revision: number;
  readonly data: ShardData;
}

export interface WorkspaceOutcome {
  readonly generation: number;
  /** Reason `Accepted`, or why this generation is not accepted. */
  readonly accepted: Finding<'Accepted'>;
  /** What is enforced: this generation, the last accepted one, or null for nothing. */
  readonly inForce: CompiledWorkspace | null;
  /** All budgets in force that apply to it, with spanning ones, sorted. */
  readonly budgets: readonly CompiledBudget[];
  /** Whether the Secret with the upstream key exists; without it no call can be forwarded. */
  readonly upstreamKey: boolean;
  readonly required: readonly RequiredVersion[];
}

export interface BudgetOutcome {
  readonly generation: number;
  /** Reason `Accepted`, or why this generation is not accepted. */
  readonly accepted: Finding<'Accepted'>;
  /** What is enforced: this generation, the last accepted one, or null for nothing. */
  readonly inForce: CompiledBudget | null;
  /** Whether it selects workspaces by `namespaceSelector`, which may select none. */
  readonly spanning: boolean;
  /** One for each workspace in force that it applies to, sorted. */
  readonly required: readonly RequiredVersion[];
}

/** A gateway that enforces `shard` at `version` or later enforces `workspace` as the outcome says. */
export interface RequiredVersion {
  readonly workspace: Ref;
  readonly shard: string;
  readonly version: number;
}
