import { type BudgetPeriod, budgetPeriodAt } from '../core/budget-period.ts';
import type {
  Attributes,
  CompiledBudget,
  CompiledKey,
  CompiledRestriction,
  Disclosure,
  Ref,
} from '../core/compiled-policy.ts';
import { refOf } from '../core/compiled-policy.ts';
import { type Check, boundOf } from '../core/counter-check.ts';
import { disclosureOf } from '../core/disclosure.ts';
import {
  type ScopeMatch,
  isExempt,
  isSetByCaller,
  matchesAny,
  RUN_ATTRIBUTES,
  scopeMatch,
  spanningScopeMatch,
} from '../core/matching.ts';
import { type Nano, ZERO, add, min } from '../core/money.ts';
import type { PeriodLookup } from '../core/period.ts';
import type { ResolvedWorkspace } from './resolved-workspace.ts';
import { type BudgetRules, WorkspaceRules } from './workspace-rules.ts';

/** A caller with what it says of itself. */
export interface AttributedCaller {
  readonly caller: Caller;
  /** The attributes that the caller sets; those that the credential fixes override them. */
  readonly claimed: Attributes;
}

/**
 * The authenticated caller. Made once for each key of a workspace's version and kept as long as that
 * version is enforced: what does not depend on the call (matchers, budgets) is built at the first call that needs it.
 */
export class Caller {
  readonly workspace: ResolvedWorkspace;
  readonly key: CompiledKey;
  readonly #rules: WorkspaceRules;
  readonly #periods: PeriodLookup | undefined;
  #budgets: ReadonlyMap<Ref, AppliedBudget> | null = null;

  /**
   * `rules` are those of the workspace, which all of its keys share. `periods` finds the period of an instant; a cache
   * that all callers share spares the calendar arithmetic.
   */
  constructor(
    workspace: ResolvedWorkspace,
    key: CompiledKey,
    rules: WorkspaceRules = new WorkspaceRules(workspace),
    periods?: PeriodLookup,
  ) {
    this.workspace = workspace;
    this.key = key;
    this.#rules = rules;
    this.#periods = periods;
  }

  /** Whether a call with these claims may use the model; the book need not have it. */
  allows(model: string, claimed: Attributes): boolean {
    return this.lackedBy(model, claimed) === null;
  }

  /** Whose list lacks the model, so that a call with these claims may not use it: the workspace's, or a restriction's. */
  lackedBy(model: string, claimed: Attributes): 'Workspace' | CompiledRestriction | null {
    return this.#rules.models.lackedBy(this.key, model, claimed);
  }

  /** The budgets that can apply to a call of the key, by `namespace/name`. */
  get budgets(): ReadonlyMap<Ref, AppliedBudget> {
    this.#budgets ??= new Map(
      this.#rules.budgets
        .map((rules) => new AppliedBudget(rules, this.workspace, this.key, this.#periods))
        .filter((budget) => budget.canApply)
        .map((budget) => [budget.ref, budget]),
    );
    return this.#budgets;
  }
}

/**
 * A budget as it applies to the calls of one key. All that does not depend on the call is worked out once (which lists
 * of the scope can match, the values, overrides and exemptions that the credential fixes, the limit of the running
 * period), so that a call costs a few comparisons for each budget.
 */
class AppliedBudget {
  readonly budget: CompiledBudget;
  readonly ref: Ref;
  /** How much its callers may see of it. */
  readonly disclosure: Disclosure;
  readonly #scope: ScopeMatch;
  readonly #isExempt: boolean;
  readonly #extraNano: Nano;
  readonly #values: CounterValues;
  readonly #periods: PeriodLookup | undefined;
  #period: BudgetPeriod | null = null;

  constructor(
    { budget, scope, exempt, overrides }: BudgetRules,
    workspace: ResolvedWorkspace,
    key: CompiledKey,
    periods?: PeriodLookup,
  ) {
    this.budget = budget;
    this.ref = refOf(budget);
    this.disclosure = disclosureOf(budget, workspace);
    this.#scope =
      budget.spanning === undefined
        ? scopeMatch(scope, workspace, key)
        : spanningScopeMatch(scope, workspace.namespaceAttributes ?? {}, key);
    this.#isExempt = exempt !== null && isExempt(exempt, key);
    this.#extraNano = key.priority === 'Critical' ? budget.criticalExtraNano : ZERO;
    this.#values = new CounterValues(budget, overrides, workspace, key);
    this.#periods = periods;
  }

  /** False if no call of the key is in the budget's scope. */
  get canApply(): boolean {
    return this.#scope !== false;
  }

  /** Whether callers share one limit, because they set an attribute of `per` and the budget has no total. */
  get isUnpooled(): boolean {
    return this.budget.spanning === undefined && this.#values.areIgnored;
  }

  /** Whether the budget limits these calls exactly, with no tolerance: a call without a maximum cost must not pass. */
  isStrict({ mode }: BudgetPeriod): boolean {
    return mode === 'Enforce' && !this.#isExempt && this.budget.toleranceNano === 0n;
  }

  /**
   * Whether a call with these attributes is in the budget's scope. `models` holds every model that may answer or advise,
   * under every name that it is known by: another spelling of a listed model must not get round the limit.
   */
  appliesTo(attributes: Attributes, models: readonly string[]): boolean {
    return matchesAny(this.#scope, attributes, models);
  }

  /** The period at an instant (milliseconds). */
  periodAt(at: number): BudgetPeriod {
    if (this.#period === null || at < this.#period.from || at >= this.#period.until) {
      this.#period = budgetPeriodAt(this.budget, at, this.#periods);
    }
    return this.#period;
  }

  /** What the ledger must check for a call of this worst cost. */
  check(
    period: BudgetPeriod,
    attributes: Attributes,
    { worstNano, gapNano }: { readonly worstNano: Nano; readonly gapNano: Nano },
  ): Check {
    const { budget } = this;
    const value = this.#values.of(attributes);
    const raisedNano = add(period.grantedNano, this.#extraNano);
    const { totalNano, workspaceReservePercent } = budget;
    return {
      budget: this.ref,
      counter: period.counter,
      value,
      start: period.start,
      end: period.end,
      mode: this.#isExempt ? 'Exempt' : period.mode,
      bound: boundOf(budget, add(this.#values.limitOf(value), raisedNano), worstNano, gapNano),
      total: totalNano === undefined ? null : boundOf(budget, add(totalNano, raisedNano), worstNano, gapNano),
      ...(workspaceReservePercent === undefined ? {} : { workspaceReservePercent }),
      ...(budget.spanning !== undefined && this.#values.areFixed ? { valueIsFixed: true } : {}),
      ...(this.#values.areRuns ? { valuesAreRuns: true } : {}),
    };
  }
}

/**
 * The value of `per` that calls of a key count under, and the limit of its counter. In a budget without a total over all
 * values, an attribute that callers set opens no counter: such calls count under the empty value, so a new name is not
 * a fresh limit. In a spanning budget the same holds for tenants, who write the keys: only what the platform fixes counts.
 */
class CounterValues {
  readonly #per: readonly string[];
  /** Whether each run of Claude Code has a value of its own. */
  readonly areRuns: boolean;
  /** Whether nobody whom the budget limits chooses the value. */
  readonly #isFixed: boolean;
  /** The value where it is fixed, and in a budget without a total. */
  readonly #fixedValue: string | null;
  readonly #hasTotal: boolean;
  readonly #limitNano: Nano;
  readonly #overrides: BudgetRules['overrides'];

  constructor(
    { per, spanning, totalNano, limitNano }: CompiledBudget,
    overrides: BudgetRules['overrides'],
    workspace: ResolvedWorkspace,
    key: CompiledKey,
  ) {
    const platform = workspace.namespaceAttributes ?? {};
    this.#per = per;
    this.areRuns = per.some((name) => RUN_ATTRIBUTES.includes(name));
    this.#isFixed = per.every((name) =>
      spanning === undefined ? !isSetByCaller(workspace, key, name) : Object.hasOwn(platform, name),
    );
    this.#fixedValue = per.length === 0 ? null : valueOf(per, spanning === undefined ? key.attributes : platform);
    this.#hasTotal = totalNano !== undefined;
    this.#limitNano = limitNano;
    this.#overrides = overrides;
  }

  /** Whether nobody whom the budget limits chooses under which value a call counts. */
  get areFixed(): boolean {
    return this.#per.length > 0 && (this.#isFixed || !this.#hasTotal);
  }

  /** Whether those whom the budget limits could choose the value, and what they choose does not count. */
  get areIgnored(): boolean {
    return !this.#isFixed && !this.#hasTotal;
  }

  of(attributes: Attributes): string | null {
    return this.#isFixed || this.areIgnored ? this.#fixedValue : valueOf(this.#per, attributes);
  }

  /** An override of a value that callers can set never raises the limit, it only lowers it. */
  limitOf(value: string | null): Nano {
    const override = this.#overrides.size === 0 ? undefined : this.#overrides.get(value);
    if (override === undefined) return this.#limitNano;
    return this.#isFixed ? override : min(override, this.#limitNano);
  }
}

function valueOf(per: readonly string[], attributes: Attributes): string {
  return JSON.stringify(per.map((name) => (Object.hasOwn(attributes, name) ? attributes[name] : '')));
}
