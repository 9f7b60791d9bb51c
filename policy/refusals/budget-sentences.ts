/** The sentences of a budget that has no room for a call: what the budget is, what fills it, and what to do. */

import type { Every } from '../core/compiled-policy.ts';
import type { Check, Verdict } from '../core/counter-check.ts';
import { isSharedValue } from '../core/counter-reading.ts';
import { formatUsd, type Nano, usdAtLeast, usdAtMost } from '../core/money.ts';
import { rfc3339 } from '../core/period.ts';
import type { BudgetAmounts, BudgetDetail, TooLargeCall } from './refusals.ts';
import { unknownReserved } from './unknown-name-sentences.ts';

const ADJECTIVE: Readonly<Record<Every, string>> = {
  Hour: 'Hourly budget',
  Day: 'Daily budget',
  Week: 'Weekly budget',
  Month: 'Monthly budget',
  Quarter: 'Quarterly budget',
  Year: 'Yearly budget',
  Once: 'Budget',
};

/** A counter without room for a call, as the call's caller may see it. */
export interface Shortfall extends BudgetDetail {
  readonly check: Check;
  readonly every: Every;
  readonly verdict: Verdict;
  /** With `per`: whether the total over all values was what did not fit. */
  readonly ofTotal: boolean;
  readonly per: readonly string[];
  /** With `per`: whether callers share one limit, because they set the attribute and there is no total. */
  readonly isUnpooled: boolean;
  /** What the call may cost where even an untouched budget could not hold it; else null. Nano-dollars. */
  readonly neverFitsNano: Nano | null;
  readonly request: Request;
}

/** What the sentence must know of the call. */
interface Request {
  /** Whether it is a batch. */
  readonly isBatch: boolean;
  /** `thinking.budget_tokens`; null without. */
  readonly thinkingBudget: number | null;
  /** Null if Tollgate knows every name in it. */
  readonly unknown: UnknownInCall | null;
}

/** The names in a call that Tollgate does not know, because of which so much is set aside for it. */
export interface UnknownInCall {
  readonly paths: readonly string[];
  /** Nano-dollars. */
  readonly reservedNano: Nano;
  /** Whether the call fits into what is left once they are left out. Of a batch it is not known, and false. */
  readonly fitsWithout: boolean;
  /** The largest `max_tokens` that fits then; null if none does. */
  readonly maxTokensWithout: number | null;
}

/**
 * Why a budget has no room for a call: "Daily budget of $25.00 reached (payments/checkout-daily). Current spend: $24.99.
 * Resets at 2026-11-24T05:00:00Z." `message` is the workspace's.
 */
export function noRoom(shortfall: Shortfall, message: string): string {
  const { resetAt, isUnpooled, per } = shortfall;
  const sentences = [
    ...shortfallSentences(shortfall),
    isUnpooled ? unpooled(per) : '',
    resetAt === null ? 'It does not reset.' : `Resets at ${rfc3339(resetAt)}.`,
    message,
  ];
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

/**
 * Where amounts are hidden, a spent budget and one that has less left than the call may cost have the same sentence: by
 * their difference a caller could find the limit, call by call.
 */
function shortfallSentences(shortfall: Shortfall): readonly string[] {
  const { check, every, figures, tooLarge, request } = shortfall;
  const unknown = unknownSentence(request);
  if (figures === null) return [`${ADJECTIVE[every]} has no room for this call (${check.budget}).`, unknown];
  const { percentUsed, amounts } = figures;
  if (amounts === null) {
    return [`${ADJECTIVE[every]} has no room for this call (${check.budget}); ${percentUsed}% of it is used.`, unknown];
  }
  const budget = `${ADJECTIVE[every]} of $${formatUsd(amounts.limitNano)}`;
  const spend = `Current spend: $${usdAtLeast(amounts.spentNano)}.`;
  if (tooLarge !== null) {
    return [
      ...cannotHold(`${budget} cannot hold this call (${named(shortfall)})`, tooLarge, request),
      `$${usdAtLeast(tooLarge.leftNano)} is left${inFlight(amounts)}.`,
      spend,
      presumed(amounts),
    ];
  }
  if (amounts.limitNano === 0n) return [`${budget} admits no calls (${named(shortfall)}).`, spend];
  if (shortfall.neverFitsNano !== null) {
    const most = `which may cost up to $${usdAtMost(shortfall.neverFitsNano)}`;
    const never = `${budget} cannot hold this call (${named(shortfall)}), ${most}, even with nothing spent`;
    if (request.unknown !== null) return [`${never}.`, unknown, spend];
    return [`${never}: lower max_tokens or shorten the prompt.`, spend];
  }
  const isFilledUp = amounts.spentNano < amounts.limitNano && amounts.presumedNano > 0n;
  const cause = request.unknown?.fitsWithout === true ? unknown : '';
  if (!isFilledUp) return [`${budget} reached (${named(shortfall)}).`, spend, cause];
  return [`${budget} has no room for this call (${named(shortfall)}).`, spend, presumed(amounts), cause];
}

/** What makes the call too large comes first, and of the ways out only those that help. */
function cannotHold(sentence: string, { worstNano, maxTokens }: TooLargeCall, request: Request): readonly string[] {
  const { unknown } = request;
  if (unknown === null) {
    return [`${sentence}, which may cost up to $${usdAtMost(worstNano)}: ${smallerCall(maxTokens, request)}.`];
  }
  if (unknown.fitsWithout) return [`${sentence}.`, unknownSentence(request)];
  const also = `Without it the call must still be smaller: ${smallerCall(unknown.maxTokensWithout, request)}.`;
  return [`${sentence}.`, unknownSentence(request), also];
}

function unknownSentence({ unknown }: Request): string {
  return unknown === null ? '' : unknownReserved(unknown.paths, unknown.reservedNano);
}

function smallerCall(maxTokens: number | null, { isBatch, thinkingBudget }: Request): string {
  if (isBatch) return 'send fewer requests in a batch, or lower their max_tokens';
  if (maxTokens === null) return 'shorten the prompt and lower max_tokens';
  const thinking = thinkingBudget !== null && thinkingBudget >= maxTokens ? ' and thinking.budget_tokens below it' : '';
  return `lower max_tokens to ${maxTokens}${thinking}, or shorten the prompt`;
}

function inFlight({ reservedNano }: BudgetAmounts): string {
  return reservedNano > 0n ? `, of which calls in flight have reserved $${usdAtLeast(reservedNano)}` : '';
}

function presumed({ presumedNano }: BudgetAmounts): string {
  if (presumedNano === 0n) return '';
  return `Presumed, for calls whose cost is not known: $${usdAtLeast(presumedNano)}; the platform team can resolve it (docs/how-to/resolve-presumed.md).`;
}

function named({ check, ofTotal, per, isUnpooled }: Shortfall): string {
  if (check.value === null) return check.budget;
  return `${check.budget}, ${ofTotal ? 'all values together' : valuesText(check.value, per, isUnpooled)}`;
}

/** The values of a counter for a sentence: `["acme"]` → `"acme"`, `[""]` → `no customer`, or unpooled `any customer`. */
export function valuesText(value: string, per: readonly string[], isUnpooled: boolean): string {
  if (isSharedValue(value)) return 'values without their own counter';
  const values = JSON.parse(value) as string[];
  const without = isUnpooled ? 'any' : 'no';
  return values.map((one, i) => (one === '' ? `${without} ${per[i]}` : JSON.stringify(one))).join(', ');
}

/** Why callers of a budget without a total share one limit, though it has `per`. */
export function unpooled(per: readonly string[]): string {
  return `Calls share one limit whatever ${per.join(' or ')} they name, because the budget is not accepted: it lacks spec.limit.totalUsd.`;
}

/** Calls in flight hold what the call needs: all that is left, its workspace's part of it, or the tolerance for its count. */
export function budgetBusy({ check, figures }: Pick<Shortfall, 'check' | 'figures'>): string {
  const amounts = figures?.amounts ?? null;
  const figure =
    amounts === null || amounts.reservedNano === 0n
      ? ''
      : ` (reserved: $${usdAtLeast(amounts.reservedNano)} of $${formatUsd(amounts.limitNano)})`;
  const why = amounts === null ? '' : presumed(amounts);
  return [
    `Calls in flight hold the room that this call needs in budget ${check.budget}${figure}.`,
    why,
    'Try again after retry-after.',
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
}
