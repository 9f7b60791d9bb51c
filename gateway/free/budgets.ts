import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import type { Caller } from '../../policy/admit/caller.ts';
import { type CompiledBudget, type CompiledKey, refOf } from '../../policy/core/compiled-policy.ts';
import {
  isSharedValue,
  MAX_TOP,
  type Reading,
  type ReadingQuery,
  type ValueCounter,
} from '../../policy/core/counter-reading.ts';
import { PeriodCache, type PeriodLookup } from '../../policy/core/period.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import { budgetFiguresQuery, type FiguresOptions } from '../../policy/status/budget-figures.ts';
import { budgetView, type BudgetView } from '../../policy/status/budget-view.ts';
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
    const text = await this.#answers.get(caller.workspace.namespace, nameOf(caller), read);
    if (text === null) return refusalFor('TooManyFreeCalls');
    const length = Buffer.byteLength(text);
    res.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': length }).end(text);
    return null;
  }
}

/** The same for callers who see the same. */
function nameOf({ workspace, key, budgets }: Caller): string {
  const shown = [...budgets.values()].map(({ ref, budget }) => [ref, fixedValues(budget, key)]);
  return JSON.stringify([refOf(workspace), workspace.version, shown]);
}

/** The budgets that can apply to a caller's calls, with the figures that it may see. Throws `LedgerUnreachable`. */
async function budgetsOf(
  { key, budgets }: Caller,
  ledger: Parts['ledger'],
  periods: PeriodLookup,
): Promise<readonly BudgetView[]> {
  const options = { top: MAX_TOP, periods };
  const { now } = await ledger.state();
  const shown = [...budgets.values()].filter(({ disclosure }) => disclosure !== 'Name');
  const readings = await ledger.read(shown.map(({ budget }) => queryOf(budget, key, now, options)));
  const read = new Map(shown.map(({ ref, budget }, i) => [ref, visible(budget, readings[i]!, key)]));
  return [...budgets.values()].map(({ ref, budget, disclosure }) =>
    budgetView(budget, disclosure, read.get(ref) ?? null, now, options),
  );
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
    const values = isSharedValue(value) ? [] : (JSON.parse(value) as string[]);
    return fixed.every((own, index) => own === null || own === values[index]);
  };
  return { ...reading, values: reading.values.filter(isOwn) };
}
