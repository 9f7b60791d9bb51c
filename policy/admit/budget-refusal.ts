import type { Bound, Failure, Verdict } from '../core/counter-check.ts';
import { disclosedFigures } from '../core/disclosure.ts';
import { add, type Nano, subtract } from '../core/money.ts';
import { END_OF_TIME } from '../core/period.ts';
import { largestMaxTokens } from '../cost/largest-max-tokens.ts';
import { budgetBusy, noRoom, type UnknownInCall } from '../refusals/budget-sentences.ts';
import type { BudgetDetail, Refusal, RefusalReason } from '../refusals/refusals.ts';
import type { Caller } from './caller.ts';
import type { CallPlan } from './plan.ts';
import { pathsOf, unknownIn } from './unknown-names.ts';

const RETRY_AFTER_SECONDS = 1;

const REASONS: Readonly<Record<Verdict, RefusalReason>> = {
  spent: 'BudgetSpent',
  tooLarge: 'RequestTooLarge',
  waiting: 'BudgetBusy',
};

/**
 * The refusal of a failed reservation, which was planned for the instant `at` (milliseconds). It names a spent budget before
 * one that the call is too large for, and that before a busy one.
 */
export function budgetRefusal(planned: CallPlan, failures: readonly Failure[], caller: Caller, at: number): Refusal {
  const failure = failureToName(planned, failures);
  const { verdict, ofTotal } = failure;
  const check = planned.checks[failure.check]!;
  const { budget, isUnpooled } = caller.budgets.get(check.budget)!;
  const { batch, thinkingBudget } = planned.facts;
  const unknown = unknownOf(planned, failure, caller, at);
  const request = { isBatch: batch === true, thinkingBudget, unknown };
  const detail = detailOf(planned, failure, caller, at);
  const neverFitsNano = boundOf(planned, failure).roomNano < 0n ? planned.reservedNano : null;
  const { per, period } = budget;
  const { every } = period;
  const shortfall = { ...detail, check, every, verdict, ofTotal, per, isUnpooled, neverFitsNano, request };
  const reason = REASONS[verdict];
  if (verdict === 'waiting') {
    return { reason, message: budgetBusy(shortfall), budget: detail, retryAfter: RETRY_AFTER_SECONDS };
  }
  const { status, message } = caller.workspace.refusal;
  return {
    reason,
    message: noRoom(shortfall, message),
    budget: detail,
    ...(status === 402 ? { status } : {}),
    ...unknownIn(planned.facts),
  };
}

/** What is left of the counter shows only in sentences for callers who may see it. */
function unknownOf(planned: CallPlan, failure: Failure, { workspace }: Caller, at: number): UnknownInCall | null {
  const { facts, reservedNano } = planned;
  if (facts.unknown.length === 0) return null;
  const known = { ...facts, unknown: [] };
  const maxTokensWithout =
    facts.batch === true ? null : largestMaxTokens(known, workspace.prices, at, leftNano(planned, failure));
  const fitsWithout = maxTokensWithout === facts.maxTokens;
  return { paths: pathsOf(facts.unknown), reservedNano, fitsWithout, maxTokensWithout };
}

/**
 * Of spent or busy budgets the last to reset. Of those that the call is too large for the one with the least left: a call
 * that fits there fits in all.
 */
function failureToName(planned: CallPlan, failures: readonly Failure[]): Failure {
  const endOf = ({ check }: Failure): number => planned.checks[check]!.end;
  const spent = failures.filter(({ verdict }) => verdict === 'spent');
  const tooLarge = failures.filter(({ verdict }) => verdict === 'tooLarge');
  if (spent.length === 0 && tooLarge.length > 0) {
    return tooLarge.reduce((least, next) => (leftNano(planned, next) < leftNano(planned, least) ? next : least));
  }
  const named = spent.length > 0 ? spent : failures;
  return named.reduce((latest, next) => (endOf(next) > endOf(latest) ? next : latest));
}

function detailOf(planned: CallPlan, failure: Failure, { budgets, workspace }: Caller, at: number): BudgetDetail {
  const check = planned.checks[failure.check]!;
  const { disclosure } = budgets.get(check.budget)!;
  const { spentNano, certainNano, committedNano, verdict } = failure;
  const figures = disclosedFigures(disclosure, {
    limitNano: boundOf(planned, failure).capNano,
    spentNano,
    presumedNano: subtract(certainNano, spentNano),
    reservedNano: subtract(committedNano, certainNano),
  });
  const { facts, worstNano, reservedNano } = planned;
  const left = leftNano(planned, failure);
  const gapNano = subtract(worstNano, reservedNano);
  const fitting = (mostNano: Nano): number | null =>
    facts.batch === true ? null : largestMaxTokens(facts, workspace.prices, at, add(mostNano, gapNano));
  const nowNano = subtract(left, subtract(committedNano, certainNano));
  return {
    budget: check.budget,
    figures,
    resetAt: check.end === END_OF_TIME ? null : check.end,
    tooLarge:
      verdict === 'tooLarge' && (figures?.amounts ?? null) !== null
        ? { worstNano: reservedNano, leftNano: left, maxTokens: fitting(nowNano) ?? fitting(left) }
        : null,
  };
}

/** What a call may cost in the counter once calls in flight cost nothing. Nano-dollars. */
function leftNano(planned: CallPlan, failure: Failure): Nano {
  return subtract(add(boundOf(planned, failure).roomNano, planned.reservedNano), failure.certainNano);
}

function boundOf({ checks }: CallPlan, { check, ofTotal }: Failure): Bound {
  const { bound, total } = checks[check]!;
  return ofTotal && total !== null ? total : bound;
}
