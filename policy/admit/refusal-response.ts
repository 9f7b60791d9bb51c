/** A refusal as HTTP: status, headers and body in the shape that Anthropic's clients understand. */

import { formatCents, formatUsd } from '../core/money.ts';
import { rfc3339 } from '../core/period.ts';
import { type Refusal, refusals, type SpentDetail } from '../core/refusals.ts';

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
  const { reason, message, spent } = refusal;
  const type = refusal.status === 402 ? 'billing_error' : refusals[reason].type;
  const members = [`"type":${JSON.stringify(type)}`, `"message":${JSON.stringify(message)}`];
  if (spent !== undefined) members.push(...spentMembers(spent));
  return `{"type":"error","error":{${members.join(',')}},"request_id":${JSON.stringify(requestId)}}`;
}

/** Amounts as numbers for people and dashboards, and exact under `details`, where the SDKs read the error code. */
function spentMembers({ budget, figures, resetAt }: SpentDetail): string[] {
  const amounts = figures?.amounts ?? null;
  const details = {
    error_code: 'budget_exceeded',
    ...(amounts === null
      ? {}
      : { budget_limit: formatUsd(amounts.limitNano), current_spend: formatUsd(amounts.spentNano) }),
  };
  return [
    ...(amounts === null ? [] : [`"budget_limit":${formatUsd(amounts.limitNano)}`]),
    ...(amounts === null ? [] : [`"current_spend":${formatCents(amounts.spentNano)}`]),
    ...(figures !== null && amounts === null ? [`"percent_used":${figures.percentUsed}`] : []),
    `"reset_at":${resetAt === null ? 'null' : JSON.stringify(rfc3339(resetAt))}`,
    `"budget":${JSON.stringify(budget)}`,
    `"details":${JSON.stringify(details)}`,
  ];
}
