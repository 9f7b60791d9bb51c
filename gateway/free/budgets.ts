import express, { type Express, type Request, type Response } from 'express';
import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import { LedgerUnreachable } from '../../ledger/ledger.ts';
import { isSpanning } from '../../policy/admit/budget-refusal.ts';
import type { Caller } from '../../policy/admit/caller.ts';
import type { CompiledBudget, CompiledKey } from '../../policy/core/compiled-policy.ts';
import { isRest, MAX_TOP, type Reading, type ValueCounter } from '../../policy/core/counter-reading.ts';
import { scopeMatch } from '../../policy/core/matching.ts';
import { PeriodCache, type PeriodLookup } from '../../policy/core/period.ts';
import { refusalFor } from '../../policy/core/refusals.ts';
import { type BudgetFigures, budgetFigures, budgetFiguresQuery } from '../../policy/status/budget-figures.ts';
import { authenticate } from '../http/authenticate.ts';
import { refuse } from '../http/send-refusal.ts';
import type { PolicySource } from '../policy/active-policy.ts';

/** The endpoint `GET /tollgate/v1/budgets`: a caller reads the budgets that apply to its calls. */
export function budgetsApp(policy: PolicySource, ledger: GatewayLedger, newId: () => string): Express {
  // In production mode Express sends no stack traces.
  const app = express().set('env', 'production').disable('x-powered-by').disable('etag');
  const periods = new PeriodCache().at;
  const sendBudgets = async (req: Request, res: Response): Promise<void> => {
    const identity = authenticate(req.headers, policy);
    if (!identity.ok) return refuse(res, identity.error, `req_${newId()}`);
    try {
      res.json({ budgets: await budgetsOf(identity.value.caller, ledger, periods) });
    } catch (error) {
      if (!(error instanceof LedgerUnreachable)) throw error;
      refuse(res, refusalFor('LedgerUnreachable'), `req_${newId()}`);
    }
  };
  app.get('/tollgate/v1/budgets', (req, res) => sendBudgets(req, res));
  return app;
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
  ledger: GatewayLedger,
  periods: PeriodLookup,
): Promise<readonly BudgetView[]> {
  const options = { top: MAX_TOP, periods };
  const budgets = workspace.budgets.filter((budget) => scopeMatch(budget.scope, workspace, key) !== false);
  const { now } = await ledger.state();
  const readings = await ledger.read(budgets.map((budget) => budgetFiguresQuery(budget, now, options)));
  return budgets.map((budget, index) => {
    const figures = budgetFigures(budget, visible(budget, readings[index]!, key), now, options);
    return view(budget, figures, isSpanning(budget, workspace));
  });
}

/** A credential that fixes a value of `per`, such as a customer, sees nothing of the other values. */
function visible({ per }: CompiledBudget, reading: Reading, { attributes }: CompiledKey): Reading {
  const isOwn = ({ value }: ValueCounter): boolean => {
    const values = isRest(value) ? [] : (JSON.parse(value) as string[]);
    return per.every((name, index) => attributes[name] === undefined || attributes[name] === values[index]);
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
