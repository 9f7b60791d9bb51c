import { type CompiledBudget, overridesOf } from '../core/compiled-policy.ts';
import { type ScopeMatchers, scopeMatchers } from '../core/matching.ts';
import type { Nano } from '../core/money.ts';
import { AllowedModels } from './allowed-models.ts';
import type { ResolvedWorkspace } from './resolved-workspace.ts';

/** A budget with its lists read. */
export interface BudgetRules {
  readonly budget: CompiledBudget;
  readonly scope: ScopeMatchers;
  /** Null if it exempts nobody. */
  readonly exempt: ScopeMatchers | null;
  /** The limits of single values, by the JSON of the value. Nano-dollars. */
  readonly overrides: ReadonlyMap<string | null, Nano>;
}

/**
 * The lists of a workspace and its budgets, read once for all of its keys, at the first call that needs them: they may have
 * tens of thousands of patterns, and there may be 500 keys.
 */
export class WorkspaceRules {
  readonly models: AllowedModels;
  readonly #workspace: Pick<ResolvedWorkspace, 'budgets'>;
  #budgets: readonly BudgetRules[] | null = null;

  constructor(workspace: ResolvedWorkspace) {
    this.models = new AllowedModels(workspace);
    this.#workspace = workspace;
  }

  get budgets(): readonly BudgetRules[] {
    this.#budgets ??= this.#workspace.budgets.map((budget) => ({
      budget,
      scope: scopeMatchers(budget.scope),
      exempt: budget.exempt === undefined ? null : scopeMatchers(budget.exempt),
      overrides: overridesOf(budget),
    }));
    return this.#budgets;
  }
}
