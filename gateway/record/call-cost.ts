import type { Billed } from '../../metrics/call-metrics.ts';
import { max, min, type Nano, ZERO } from '../../policy/core/money.ts';
import { type Bill, billOf } from '../../policy/cost/bill.ts';
import { type AnswerSeen, type Ending, endingCost, endingOf, releasesByItself } from '../../policy/cost/ending-cost.ts';
import { worstCost } from '../../policy/cost/worst-cost.ts';
import { cacheSavings } from '../../policy/prices/cache-savings.ts';
import { billedTokens, cost } from '../../policy/prices/usage-cost.ts';
import type { Usage } from '../../policy/prices/usage.ts';
import type { ForwardEnd } from '../forward/forward.ts';
import { thinkingTokens } from '../forward/tokens-per-byte.ts';
import type { AdmittedCall } from '../http/call.ts';

/** A call with the plan and the prices that it was admitted under. */
type PricedCall = Pick<AdmittedCall, 'caller' | 'plan' | 'admittedAt'>;

/** The cost that a reservation is settled at, and what stays presumed because the upstream may still bill it. Nano-dollars. */
export interface CallCost {
  readonly costNano: Nano;
  readonly presumedNano: Nano;
  /** What stays presumed is released by itself after a while. */
  readonly releases: boolean;
  /** The cost was not taken from a final usage. */
  readonly estimated: boolean;
  readonly usage: Usage | null;
  /** The model that the cost is for. */
  readonly model: string;
}

/** What a call costs, and the ending that decided it. */
export interface EndedCost extends CallCost {
  readonly ending: Ending;
}

/** Tokens that a stream may have written before it notices that it was cancelled: a fifth of a second of output. */
const IN_FLIGHT_TOKENS = 16;

/** The cost of a call whose cost another record says. */
export function noCost(model: string): CallCost {
  return { costNano: ZERO, presumedNano: ZERO, releases: false, estimated: false, usage: null, model };
}

/**
 * What a call costs by its ending. `tokensPerByte` of visible output prices an answer that was not seen to its end, because
 * the upstream reports its own count only there.
 */
export function callCost(call: PricedCall, end: ForwardEnd, tokensPerByte: number): EndedCost {
  const { metered } = end;
  const { facts, worstNano } = call.plan;
  const reported = billed(call, metered.model, metered.usage);
  const answer = answerSeen(end, reported !== null);
  const ending = endingOf(answer);
  let priced = reported ?? NOTHING;
  const amounts = endingCost(ending, worstNano, (part) => {
    if (part === 'Seen') priced = seenCost(call, end, priced, tokensPerByte);
    return priced.costNano;
  });
  return {
    ending,
    ...amounts,
    releases: amounts.presumedNano > 0n && releasesByItself(answer),
    estimated: ending === 'Answered' ? priced.estimated : amounts.costNano + amounts.presumedNano > 0n,
    usage: priced.usage,
    model: metered.model ?? facts.model,
  };
}

function answerSeen(end: ForwardEnd, isReadable: boolean): AnswerSeen {
  const { metered } = end;
  const known = metered.isFinal ? 'Final' : 'Started';
  const usage = metered.usage === null ? 'None' : isReadable ? known : 'Unreadable';
  return { ...metered, ...end, usage };
}

/** What the metrics count of a call's cost. */
export function billedFigures({ caller, plan, admittedAt }: PricedCall, { costNano, usage, model }: CallCost): Billed {
  if (usage === null) return { costNano, tokens: null, cache: null };
  const { prices } = caller.workspace;
  const cache = cacheSavings(usage, (one) => cost(one, model, prices, admittedAt, plan.facts.model));
  return { costNano, tokens: billedTokens(usage, model), cache };
}

/** A usage and its price; null for none. */
interface Priced extends Bill {
  readonly usage: Usage | null;
}

const NOTHING: Priced = { costNano: ZERO, estimated: true, usage: null };

/** Null for a usage that is not there or cannot be read. */
function billed({ caller, plan, admittedAt }: PricedCall, served: string | null, usage: Usage | null): Priced | null {
  if (usage === null) return null;
  const bill = billOf(usage, plan.facts, served ?? plan.facts.model, caller.workspace.prices, admittedAt);
  return bill && { ...bill, usage };
}

/** The reported usage and the output seen since. Estimates never exceed the worst case. */
function seenCost(call: PricedCall, end: ForwardEnd, reported: Priced, tokensPerByte: number): Priced {
  const { isCancelled, metered } = end;
  const { model, unpricedBytes, textBytes, hiddenMs } = metered;
  const { usage } = reported;
  const { facts, worstNano } = call.plan;
  if (usage === null) {
    // A stream that is cancelled before it begins costs its prompt, on the assumption that the upstream stops billing.
    const silent = { ...facts, maxTokens: 0, thinkingBudget: null };
    const prompt = (): Nano => worstCost(silent, call.caller.workspace.prices, call.admittedAt);
    return isCancelled ? { ...NOTHING, costNano: prompt() } : NOTHING;
  }
  const isPriced = unpricedBytes === 0 && textBytes > 0;
  const unseenTokens = isCancelled ? IN_FLIGHT_TOKENS : 0;
  const since = isPriced ? 0 : Math.ceil(unpricedBytes * tokensPerByte) + thinkingTokens(hiddenMs) + unseenTokens;
  // The output count at the beginning of a stream is only a start value, so it is not added to what came since.
  const output = unpricedBytes === textBytes ? Math.max(usage.output, since) : usage.output + since;
  const seen = billed(call, model, { ...usage, output }) ?? reported;
  return { ...seen, costNano: min(seen.costNano, max(reported.costNano, worstNano)) };
}
