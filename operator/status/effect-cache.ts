import type { BudgetOutcome, CompileOutput, WorkspaceOutcome } from '../../policy/compile/compile-output.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { modeAt } from '../../policy/core/budget-period.ts';
import type { CompiledWorkspace } from '../../policy/core/compiled-policy.ts';
import type { Finding } from '../../policy/core/conditions.ts';
import { budgetEffective, workspaceEffective } from '../../policy/effect/effective.ts';
import type { PriceBook } from '../../policy/prices/price-book.ts';

interface Input {
  readonly published: { readonly output: Pick<CompileOutput, 'workspaces'> };
  readonly book: PriceBook;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

interface Known {
  readonly causes: readonly unknown[];
  readonly finding: Finding<'Effective'>;
}

const NOT_IN_FORCE: Finding<'Effective'> = {
  reason: 'NotInForce',
  message: 'No accepted generation is in force.',
};

/** The condition Effective of each object, the same finding until something that it follows from is another object. */
export class EffectCache {
  readonly #settings: Pick<Settings, 'requireBudget'>;
  /** By uid. */
  readonly #known = new Map<string, Known>();

  constructor(settings: Pick<Settings, 'requireBudget'>) {
    this.#settings = settings;
  }

  /** `now`: by the ledger's clock, in milliseconds. */
  ofBudget(uid: string, { inForce, required }: BudgetOutcome, input: Input, now: number): Finding<'Effective'> {
    if (inForce === null) return NOT_IN_FORCE;
    const workspaces = required.flatMap(({ workspace }) => inForceOf(input.published.output.workspaces.get(workspace)));
    const ended = inForce.grants.filter(({ until }) => until <= now).length;
    const causes = [inForce, input.book, ended, ...workspaces];
    return this.#find(uid, causes, () => budgetEffective(inForce, workspaces, { book: input.book, now }));
  }

  ofWorkspace(uid: string, { inForce, budgets }: WorkspaceOutcome, { book, now }: Input): Finding<'Effective'> {
    if (inForce === null) return NOT_IN_FORCE;
    const { requireBudget } = this.#settings;
    const enforcing = budgets.filter((one) => modeAt(one, now) === 'Enforce').length;
    const causes = [inForce, book, enforcing, ...budgets];
    return this.#find(uid, causes, () => workspaceEffective(inForce, budgets, { book, now, requireBudget }));
  }

  forget(uid: string): void {
    this.#known.delete(uid);
  }

  #find(uid: string, causes: readonly unknown[], find: () => Finding<'Effective'>): Finding<'Effective'> {
    const known = this.#known.get(uid);
    if (known !== undefined && areSame(known.causes, causes)) return known.finding;
    const found = find();
    const finding = known?.finding.message === found.message ? known.finding : found;
    this.#known.set(uid, { causes, finding });
    return finding;
  }
}

function inForceOf(outcome: WorkspaceOutcome | undefined): readonly CompiledWorkspace[] {
  return outcome?.inForce == null ? [] : [outcome.inForce];
}

function areSame(known: readonly unknown[], causes: readonly unknown[]): boolean {
  return known.length === causes.length && causes.every((cause, i) => cause === known[i]);
}
