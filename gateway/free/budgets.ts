import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import { isSpanning } from '../../policy/admit/budget-refusal.ts';
import type { Caller } from '../../policy/admit/caller.ts';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import { type CompiledBudget, type CompiledKey, refOf } from '../../policy/core/compiled-policy.ts';
import {
  isRest,
  MAX_TOP,
  type Reading,
  type ReadingQuery,
  type ValueCounter,
} from '../../policy/core/counter-reading.ts';
import { scopeMatch } from '../../policy/core/matching.ts';
import { PeriodCache, type PeriodLookup } from '../../policy/core/period.ts';
import { type Refusal, refusalFor } from '../../policy/core/refusals.ts';
import {
  type BudgetFigures,
  budgetFigures,
  budgetFiguresQuery,
  type FiguresOptions,
} from '../../policy/status/budget-figures.ts';
import type { AuthenticatedCall, Clocks } from '../http/call.ts';
import { RateLimit } from '../http/rate-limit.ts';
import { BudgetAnswers } from './budget-answers.ts';

/** How often a key may ask in a second. */
const ASKED_A_SECOND = 10;

interface Parts extends Pick<Clocks, 'elapsed'> {
  readonly ledger: Pick<GatewayLedger, 'state' | 'read'>;
}

/** `GET /tollgate/v1/budgets`: a caller reads the budgets that apply to its calls. */
export class Budgets {
  readonly #ledger: Parts['ledger'];
  readonly #answers: BudgetAnswers;
  readonly #rateLimit: RateLimit;
  readonly #periods = new PeriodCache().at;

  constructor({ ledger, elapsed }: Parts) {
    this.#ledger = ledger;
    this.#answers = new BudgetAnswers(elapsed);
    this.#rateLimit = new RateLimit(ASKED_A_SECOND, elapsed);
  }

  /** Resolves to null once it has answered. */
  async serve({ caller, keyHash, res }: AuthenticatedCall): Promise<Refusal | null> {
    if (!this.#rateLimit.admits(keyHash)) return refusalFor('TooManyFreeCalls');
    const read = async () => JSON.stringify({ budgets: await budgetsOf(caller, this.#ledger, this.#periods) });
    try {
      const text = await this.#answers.get(caller.workspace.namespace, nameOf(caller), read);
      if (text === null) return refusalFor('TooManyFreeCalls');
      const length = Buffer.byteLength(text);
      res.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': length }).end(text);
      return null;
    } catch (error) {
      if (!(error instanceof LedgerUnreachable)) throw error;
      return refusalFor('LedgerUnreachable');
    }
  }
}

/** The same for callers who see the same. */
function nameOf({ workspace, key }: Caller): string {
  const shown = budgetsInScope(workspace, key).map((budget) => [refOf(budget), fixedValues(budget, key)]);
  return JSON.stringify([refOf(workspace), workspace.version, shown]);
}

/** What a caller sees of one budget; of a spanning budget only its name and when it resets. */
interface BudgetView {
  readonly budget: string;
  readonly mode?: CompiledBudget['mode'];
  readonly [field: string]: unknown;
}

/** The budgets that can apply to a caller's calls, with their current figures. Throws `LedgerUnreachable`. */
async function budgetsOf(
  { workspace, key }: Caller,
  ledger: Parts['ledger'],
  periods: PeriodLookup,
): Promise<readonly BudgetView[]> {
  const options = { top: MAX_TOP, periods };
  const budgets = budgetsInScope(workspace, key);
  const { now } = await ledger.state();
  const readings = await ledger.read(budgets.map((budget) => queryOf(budget, key, now, options)));
  return budgets.map((budget, index) => {
    const figures = budgetFigures(budget, visible(budget, readings[index]!, key), now, options);
    return view(budget, figures, isSpanning(budget, workspace));
  });
}

function budgetsInScope(workspace: ResolvedWorkspace, key: CompiledKey): readonly CompiledBudget[] {
  return workspace.budgets.filter((budget) => scopeMatch(budget.scope, workspace, key) !== false);
}

/** What the credential fixes of `per`: null for an attribute that it leaves open. */
function fixedValues({ per }: CompiledBudget, { attributes }: CompiledKey): readonly (string | null)[] {
  return per.map((name) => attributes[name] ?? null);
}

/** Where the credential fixes the whole value, only that is read. */
function queryOf(budget: CompiledBudget, key: CompiledKey, now: number, options: FiguresOptions): ReadingQuery {
  const query = budgetFiguresQuery(budget, now, options);
  const fixed = fixedValues(budget, key);
  return !query.per || fixed.includes(null) ? query : { ...query, top: 0, also: [JSON.stringify(fixed)] };
}

/** A credential that fixes a value of `per`, such as a customer, sees nothing of the other values. */
function visible(budget: CompiledBudget, reading: Reading, key: CompiledKey): Reading {
  const fixed = fixedValues(budget, key);
  const isOwn = ({ value }: ValueCounter): boolean => {
    const values = isRest(value) ? [] : (JSON.parse(value) as string[]);
    return fixed.every((own, index) => own === null || own === values[index]);
  };
  return { ...reading, values: reading.values.filter(isOwn) };
}

function view(budget: CompiledBudget, figures: BudgetFigures, hasHiddenFigures: boolean): BudgetView {
  const name = `${budget.namespace}/${budget.name}`;
  const resetAt = figures.period.end ?? null;
  return hasHiddenFigures
    ? { budget: name, resetAt }
    : { budget: name, mode: budget.mode, per: budget.per, resetAt, ...figures };
}
