import type { ClaudeBudget } from '../../crds/types.gen.ts';
import type { Settings } from '../config/settings.ts';
import type { CompiledBudget } from '../core/compiled-policy.ts';
import { deepEqual } from '../core/deep-equal.ts';

/**
 * Results that the operator keeps from one compilation to the next, since few of thousands of budgets change. It only
 * saves time: a compilation with an empty cache has the same output. Entries are dropped with their resources.
 */
export class CompileCache {
  readonly #compiled = new WeakMap<ClaudeBudget, { readonly settings: Settings; readonly budget: CompiledBudget }>();
  readonly #stored = new WeakMap<CompiledBudget, CompiledBudget>();

  /** The compiled form of a resource: the last one, if neither the resource nor the settings are another object. */
  compiled(resource: ClaudeBudget, settings: Settings, compile: () => CompiledBudget): CompiledBudget {
    const last = this.#compiled.get(resource);
    if (last?.settings === settings) return last.budget;
    const budget = compile();
    this.#compiled.set(resource, { settings, budget });
    return budget;
  }

  /** Whether a compiled budget equals the stored one. Both stay the same objects while nothing changes them. */
  equals(budget: CompiledBudget, stored: CompiledBudget | undefined): boolean {
    if (stored === undefined) return false;
    if (this.#stored.get(budget) === stored) return true;
    if (!deepEqual(budget, stored)) return false;
    this.#stored.set(budget, stored);
    return true;
  }
}
