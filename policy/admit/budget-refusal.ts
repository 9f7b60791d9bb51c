import type { Bound, Check, Failure } from '../core/counter-check.ts';
import { disclosedFigures } from '../core/disclosure.ts';
import { END_OF_TIME } from '../core/period.ts';
import { budgetBusy, budgetSpent } from '../core/refusal-sentences.ts';
import type { Refusal } from '../core/refusals.ts';
import type { Caller } from './caller.ts';
import type { CallPlan } from './plan.ts';

const RETRY_AFTER_SECONDS = 1;

/** The refusal of a failed reservation: names a spent budget before a busy one, and of several the last to reset. */
export function budgetRefusal(planned: CallPlan, failures: readonly Failure[], caller: Caller): Refusal {
  const spent = failures.filter((failure) => !failure.waiting);
  const failure = last(spent.length > 0 ? spent : failures, planned.checks);
  const check = planned.checks[failure.check]!;
  if (failure.waiting) {
    return { reason: 'BudgetBusy', message: budgetBusy(check.budget), retryAfter: RETRY_AFTER_SECONDS };
  }
  return spentRefusal(planned, failure, check, caller);
}

function last(failures: readonly Failure[], checks: readonly Check[]): Failure {
  return failures.reduce((latest, failure) =>
    checks[failure.check]!.end > checks[latest.check]!.end ? failure : latest,
  );
}

function spentRefusal(planned: CallPlan, failure: Failure, check: Check, { workspace, budgets }: Caller): Refusal {
  const bound: Bound = failure.ofTotal && check.total !== null ? check.total : check.bound;
  const { budget, disclosure } = budgets.get(check.budget)!;
  const figures = disclosedFigures(disclosure, { limitNano: bound.capNano, spentNano: failure.spentNano });
  const { status, message } = workspace.refusal;
  return {
    reason: 'BudgetSpent',
    message: budgetSpent(
      {
        check,
        every: budget.period.every,
        figures,
        worstNano: bound.roomNano < 0n ? planned.reservedNano : null,
        ofTotal: failure.ofTotal,
      },
      message,
    ),
    spent: { budget: check.budget, figures, resetAt: check.end === END_OF_TIME ? null : check.end },
    ...(status === 402 ? { status } : {}),
  };
}
