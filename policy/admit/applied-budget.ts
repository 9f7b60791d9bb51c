/**
 * How a budget bears on the calls of one key. What does not depend on the call — which of its lists can match at all,
 * the values, overrides and exemptions that the credential fixes, the terms of the running period — is worked out once, so that a
 * call costs a few comparisons for each budget.
 */

import type { Attributes, CompiledBudget, CompiledKey, CompiledWorkspace, Ref } from '../core/compiled-policy.ts';
import { refOf } from '../core/compiled-policy.ts';
import type { Check, Part } from '../core/counter-check.ts';
import { boundOf, type EffectiveLimit, effectiveLimitAt } from '../core/effective-limit.ts';
import { callersSet, governs, loosens, type Scoping } from '../core/matching.ts';

/** One budget for the calls of one key. */
export class AppliedBudget {
  readonly budget: CompiledBudget;
  readonly ref: Ref;
  readonly #scope: Scoping;
  readonly #part: Part;
  readonly #extraNano: bigint;
  readonly #values: Values;
  #terms: EffectiveLimit | null = null;

  constructor(budget: CompiledBudget, workspace: Pick<CompiledWorkspace, 'headers'>, key: CompiledKey) {
    this.budget = budget;
    this.ref = refOf(budget);
    this.#scope = governs(budget.scope, workspace, key);
    this.#part = budget.exempt !== undefined && loosens(budget.exempt, key) ? 'Exempt' : budget.mode;
    this.#extraNano = key.priority === 'Critical' ? budget.criticalExtraNano : 0n;
    this.#values = new Values(budget, workspace, key);
  }

  /** False where no call of the key is in the budget's scope. */
  get possible(): boolean {
    return this.#scope !== false;
  }

  /** Whether it limits these calls to the last nano-dollar: no call may go that nobody can bound. */
  get isStrict(): boolean {
    return this.#part === 'Enforce' && this.budget.toleranceNano === 0n;
  }

  /**
   * Whether the budget, once begun, governs a call with these attributes. `models`: all that may answer or advise, under
   * all names that they are known by, because nobody gets round a limit by another spelling of what it lists.
   */
  governs(attributes: Attributes, models: readonly string[]): boolean {
    return models.some((model) => holds(this.#scope, attributes, model));
  }

  /** The terms at an instant (milliseconds). */
  termsAt(at: number): EffectiveLimit {
    if (this.#terms === null || at < this.#terms.from || at >= this.#terms.until) {
      this.#terms = effectiveLimitAt(this.budget, at);
    }
    return this.#terms;
  }

  /** What the ledger must check for a call of this worst cost. */
  check(
    terms: EffectiveLimit,
    attributes: Attributes,
    { worstNano, gapNano }: { readonly worstNano: bigint; readonly gapNano: bigint },
  ): Check {
    const { budget } = this;
    const value = this.#values.of(attributes);
    const raisedNano = terms.grantedNano + this.#extraNano;
    const { totalNano } = budget;
    return {
      budget: this.ref,
      counter: terms.counter,
      value,
      start: terms.start,
      end: terms.end,
      part: this.#part,
      bound: boundOf(budget, this.#values.limitOf(value) + raisedNano, worstNano, gapNano),
      total: totalNano === undefined ? null : boundOf(budget, totalNano + raisedNano, worstNano, gapNano),
    };
  }
}

function holds(scoping: Scoping, attributes: Attributes, model: string): boolean {
  return typeof scoping === 'boolean' ? scoping : scoping(attributes, model);
}

/**
 * The value that calls of a key count under, and its limit. Without a total over all values what callers claim opens no
 * counter: such calls count under the empty value, so that nobody finds a fresh limit behind a new name.
 */
class Values {
  readonly #per: readonly string[];
  readonly #fixed: boolean;
  readonly #constant: string | null;
  readonly #limitNano: bigint;
  readonly #overrides: ReadonlyMap<string | null, bigint>;

  constructor(budget: CompiledBudget, workspace: Pick<CompiledWorkspace, 'headers'>, key: CompiledKey) {
    this.#per = budget.per;
    this.#fixed = budget.totalNano === undefined || !budget.per.some((name) => callersSet(workspace, key, name));
    this.#constant = budget.per.length === 0 ? null : valueOf(budget.per, key.attributes);
    this.#limitNano = budget.limitNano;
    this.#overrides = new Map(budget.overrides.map(({ values, limitNano }) => [JSON.stringify(values), limitNano]));
  }

  of(attributes: Attributes): string | null {
    return this.#fixed ? this.#constant : valueOf(this.#per, attributes);
  }

  /** An override of a value that callers can claim never raises the limit, it only lowers it. */
  limitOf(value: string | null): bigint {
    const override = this.#overrides.size === 0 ? undefined : this.#overrides.get(value);
    if (override === undefined) return this.#limitNano;
    return this.#fixed || override < this.#limitNano ? override : this.#limitNano;
  }
}

function valueOf(per: readonly string[], attributes: Attributes): string {
  return JSON.stringify(per.map((name) => (Object.hasOwn(attributes, name) ? attributes[name] : '')));
}
