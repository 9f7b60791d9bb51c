import type { ClaudeBudget, ClaudeBudgetStatus, ClaudeWorkspace, ClaudeWorkspaceStatus } from '../../crds/types.gen.ts';
import { keyOf, type KubeObject } from '../../kube/object.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Finding } from '../../policy/core/conditions.ts';
import type { Rollout } from '../../policy/status/readiness.ts';
import type { Informers } from '../cluster/informers.ts';
import type { LedgerGuard } from '../ledger/ledger-guard.ts';
import type { Compilation } from '../policy/compilation.ts';
import type { PolicyReconciler } from '../policy/policy-reconciler.ts';
import { gatewayRollout } from './gateway-rollout.ts';
import type { LedgerFigures, LedgerReader } from './ledger-reader.ts';

/** The status of either kind. */
export type Status = ClaudeBudgetStatus & ClaudeWorkspaceStatus;

/** What the statuses of one pass have in common. */
export interface StatusInput {
  readonly compilation: Compilation;
  readonly rollout: Rollout;
  readonly logged: Finding<'Logged'>;
  /** The hashes of each workspace's keys whose Secret exists, by the key's name. */
  readonly keys: ReadonlyMap<Ref, Readonly<Record<string, string>>>;
  readonly workspaces: { get(ref: Ref): ClaudeWorkspace | undefined };
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A workspace as its informer has it, with its status as last written. */
export interface WorkspaceSubject {
  readonly ref: Ref;
  readonly workspace: ClaudeWorkspace;
  readonly status: ClaudeWorkspaceStatus | undefined;
}

/** A budget as its informer has it, with its status as last written. */
export interface BudgetSubject {
  readonly ref: Ref;
  readonly budget: ClaudeBudget;
  readonly status: ClaudeBudgetStatus | undefined;
  /** Undefined while the ledger may still answer. */
  readonly figures: LedgerFigures | undefined;
}

/** The statuses as they were last written. */
interface WrittenStatuses {
  lastWritten(object: KubeObject & { readonly status?: Status }): Status | undefined;
}

interface GathererOptions {
  readonly informers: Pick<Informers, 'workspaces' | 'budgets' | 'endpoints'>;
  readonly policy: Pick<PolicyReconciler, 'compilation' | 'fences'>;
  readonly reader: Pick<LedgerReader, 'gateways' | 'figures'>;
  readonly guard: Pick<LedgerGuard, 'health'>;
  readonly statuses: WrittenStatuses;
  readonly keys: { hashes(): StatusInput['keys'] };
  readonly logged: () => Finding<'Logged'>;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Gathers what statuses are computed from; it decides and changes nothing. */
export class StatusGatherer {
  readonly #options: GathererOptions;
  #rollout: Rollout | undefined;

  constructor(options: GathererOptions) {
    this.#options = options;
  }

  /** What a pass begins with; undefined before the first compilation. */
  input(): StatusInput | undefined {
    const { informers, policy, reader, keys, logged, clock } = this.#options;
    if (policy.compilation === undefined) return undefined;
    this.#rollout = gatewayRollout(policy.fences, informers.endpoints.values(), reader.gateways, this.#rollout);
    return {
      compilation: policy.compilation,
      rollout: this.#rollout,
      logged: logged(),
      keys: keys.hashes(),
      workspaces: informers.workspaces,
      now: clock(),
    };
  }

  workspaces(): readonly WorkspaceSubject[] {
    const { informers, statuses } = this.#options;
    return informers.workspaces.values().map((workspace) => ({
      ref: keyOf(workspace.metadata),
      workspace,
      status: statuses.lastWritten(workspace),
    }));
  }

  /** All budgets. The caller may pause between two of them: a budget that is deleted meanwhile is left out. */
  *budgets(): Generator<BudgetSubject> {
    for (const [ref, budget] of this.#options.informers.budgets.entries()) yield this.#subject(ref, budget);
  }

  /** Undefined where the budget is gone. */
  budget(ref: Ref): BudgetSubject | undefined {
    const budget = this.#options.informers.budgets.get(ref);
    return budget === undefined ? undefined : this.#subject(ref, budget);
  }

  #subject(ref: Ref, budget: ClaudeBudget): BudgetSubject {
    const { reader, guard, statuses } = this.#options;
    const status = statuses.lastWritten(budget);
    return { ref, budget, status, figures: reader.figures(ref, guard.health) };
  }
}
