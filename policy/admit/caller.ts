import type { CompiledKey } from '../core/compiled-policy.ts';
import { globs, type Matcher } from '../core/matching.ts';
import type { PeriodLookup } from '../core/period.ts';
import { AppliedBudget } from './applied-budget.ts';
import type { ResolvedWorkspace } from './resolved-workspace.ts';

/**
 * The authenticated caller. Made once for each key of a workspace's version and kept as long as that
 * version is enforced: what does not depend on the call (matchers, budgets) is built at the first call that needs it.
 */
export class Caller {
  readonly workspace: ResolvedWorkspace;
  readonly key: CompiledKey;
  readonly #periods: PeriodLookup | undefined;
  #allowed: Matcher | null = null;
  #budgets: readonly AppliedBudget[] | null = null;

  /** `periods` finds the period of an instant; a cache that all callers share spares the calendar arithmetic. */
  constructor(workspace: ResolvedWorkspace, key: CompiledKey, periods?: PeriodLookup) {
    this.workspace = workspace;
    this.key = key;
    this.#periods = periods;
  }

  /** Whether the workspace's allow-list has the model; the price book is not asked. */
  allows(model: string): boolean {
    this.#allowed ??= globs(this.workspace.models.allow);
    return this.#allowed(model);
  }

  /** The budgets that can apply to a call of the key. */
  get budgets(): readonly AppliedBudget[] {
    this.#budgets ??= this.workspace.budgets
      .map((budget) => new AppliedBudget(budget, this.workspace, this.key, this.#periods))
      .filter((budget) => budget.canApply);
    return this.#budgets;
  }
}
