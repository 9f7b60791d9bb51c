/** A refusal as HTTP: status, headers and body in the shape that Anthropic's clients understand. */

import { formatCents, formatUsd, type Nano } from '../core/money.ts';
import { rfc3339 } from '../core/period.ts';
import { type BudgetDetail, type Refusal, type RefusalReason, refusals } from '../refusals/refusals.ts';

export function refusalStatus(refusal: Refusal): number {
  return refusal.status ?? refusals[refusal.reason].status;
}

/** The headers of a refusal, in lower case. */
export function refusalHeaders(refusal: Refusal, requestId: string): Readonly<Record<string, string>> {
  const { retry } = refusals[refusal.reason];
  return {
    'content-type': 'application/json',
    'request-id': requestId,
    ...(retry === 'Never' ? { 'x-should-retry': 'false' } : {}),
    ...(retry === 'Soon' ? { 'retry-after': String(refusal.retryAfter ?? 1) } : {}),
  };
}

/** The body of a refusal: JSON text in which amounts keep their decimals, as in `"budget_limit":25.00`. */
export function refusalBody(refusal: Refusal, requestId: string): string {
  const { reason, message, budget, errorCode, unknown } = refusal;
  const type = refusal.status === 402 ? 'billing_error' : refusals[reason].type;
  const members = [`"type":${JSON.stringify(type)}`, `"message":${JSON.stringify(message)}`];
  if (budget !== undefined) members.push(...budgetMembers(refusal, budget));
  else if ((errorCode ?? unknown) !== undefined) {
    members.push(`"details":${JSON.stringify({ error_code: errorCode, unknown })}`);
  }
  return `{"type":"error","error":{${members.join(',')}},"request_id":${JSON.stringify(requestId)}}`;
}

/** Amounts as numbers for people and dashboards, and exact under `details`, where the SDKs read the error code. */
function budgetMembers({ reason, unknown }: Refusal, detail: BudgetDetail): string[] {
  const { budget, figures, resetAt } = detail;
  const amounts = figures?.amounts ?? null;
  return [
    ...(amounts === null ? [] : [`"budget_limit":${formatUsd(amounts.limitNano)}`]),
    ...(amounts === null ? [] : [`"current_spend":${formatCents(amounts.spentNano)}`]),
    ...(figures !== null && amounts === null ? [`"percent_used":${figures.percentUsed}`] : []),
    `"reset_at":${resetAt === null ? 'null' : JSON.stringify(rfc3339(resetAt))}`,
    `"budget":${JSON.stringify(budget)}`,
    `"details":${JSON.stringify({ ...detailsOf(reason, detail), unknown })}`,
  ];
}

/** A call that is too large differs from a spent budget only for callers who may see the amounts. */
function detailsOf(reason: RefusalReason, { figures, tooLarge }: BudgetDetail): Readonly<Record<string, unknown>> {
  const amounts = figures?.amounts ?? null;
  const whenHeld = (name: string, amount: Nano) => (amount > 0n ? { [name]: formatUsd(amount) } : {});
  return {
    error_code: reason === 'BudgetBusy' ? 'budget_busy' : 'budget_exceeded',
    ...(amounts !== null && {
      budget_limit: formatUsd(amounts.limitNano),
      current_spend: formatUsd(amounts.spentNano),
      ...whenHeld('presumed', amounts.presumedNano),
      ...whenHeld('reserved', amounts.reservedNano),
    }),
    ...(tooLarge !== null && {
      reason,
      remaining: formatUsd(tooLarge.leftNano),
      worst_case: formatUsd(tooLarge.worstNano),
      largest_max_tokens: tooLarge.maxTokens,
    }),
  };
}
