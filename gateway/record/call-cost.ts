import type { Billed } from '../../metrics/call-metrics.ts';
import { max, min, type Nano, subtract, ZERO } from '../../policy/core/money.ts';
import { billOf } from '../../policy/cost/bill.ts';
import { worstCost } from '../../policy/cost/worst-cost.ts';
import { cacheSavings } from '../../policy/prices/cache-savings.ts';
import { billedTokens, cost } from '../../policy/prices/usage-cost.ts';
import type { Usage } from '../../policy/prices/usage.ts';
import type { Metered } from '../forward/meter.ts';
import { thinkingTokens } from '../forward/tokens-per-byte.ts';
import type { AdmittedCall } from '../http/call.ts';

/** A call with the plan and the prices that it was admitted under. */
type PricedCall = Pick<AdmittedCall, 'caller' | 'plan' | 'admittedAt'>;

/** The cost that a reservation is settled at, and what stays presumed because the upstream may still bill it. Nano-dollars. */
export interface CallCost {
  readonly costNano: Nano;
  readonly presumedNano: Nano;
  /** The cost was not taken from a final usage. */
  readonly estimated: boolean;
  readonly usage: Usage | null;
  /** The model that the cost is for. */
  readonly model: string;
}

/** Tokens that a stream may have written before it notices that it was cancelled: a fifth of a second of output. */
const IN_FLIGHT_TOKENS = 16;

/** The cost of a call that the upstream does not bill. */
export function noCost(model: string): CallCost {
  return { costNano: ZERO, presumedNano: ZERO, estimated: false, usage: null, model };
}

/**
 * What a call that reached the upstream costs, however it ended. `tokensPerByte` of visible output prices an answer that
 * was not seen to its end, because the upstream reports its own count only there.
 */
export function callCost(call: PricedCall, metered: Metered, isCancelled: boolean, tokensPerByte: number): CallCost {
  if (metered.complete) return completeCost(call, metered);
  return isCancelled ? cancelledCost(call, metered, tokensPerByte) : brokenCost(call, metered, tokensPerByte);
}

/** What the metrics count of a call's cost. */
export function billedFigures({ caller, plan, admittedAt }: PricedCall, { costNano, usage, model }: CallCost): Billed {
  if (usage === null) return { costNano, tokens: null, cache: null };
  const { prices } = caller.workspace;
  const cache = cacheSavings(usage, (one) => cost(one, model, prices, admittedAt, plan.facts.model));
  return { costNano, tokens: billedTokens(usage, model), cache };
}

/** A complete answer costs exactly what its usage says, or the worst case if it has none or an impossible one. */
function completeCost({ caller, plan, admittedAt }: PricedCall, { model: served, usage }: Metered): CallCost {
  const { facts, worstNano } = plan;
  const model = served ?? facts.model;
  const bill = usage === null ? null : billOf(usage, facts, model, caller.workspace.prices, admittedAt);
  if (bill === null) return { costNano: worstNano, presumedNano: ZERO, estimated: true, usage: null, model };
  return { ...bill, presumedNano: ZERO, usage, model };
}

/** An answer that broke off is settled at what was seen; the rest stays presumed, since the upstream may bill it all. */
function brokenCost(call: PricedCall, metered: Metered, tokensPerByte: number): CallCost {
  const seen = seenCost(call, metered, tokensPerByte, 0);
  return { ...seen, presumedNano: max(ZERO, subtract(call.plan.worstNano, seen.costNano)) };
}

/**
 * A stream that was cancelled because its caller left is settled at what was seen, on the assumption that the upstream
 * stops billing. If it had not begun, it is settled at the upper bound of its prompt's cost.
 */
function cancelledCost(call: PricedCall, metered: Metered, tokensPerByte: number): CallCost {
  if (metered.usage !== null) return seenCost(call, metered, tokensPerByte, IN_FLIGHT_TOKENS);
  const { facts } = call.plan;
  const costNano = worstCost(
    { ...facts, maxTokens: 0, thinkingBudget: null },
    call.caller.workspace.prices,
    call.admittedAt,
  );
  return { costNano, presumedNano: ZERO, estimated: true, usage: null, model: facts.model };
}

/** The cost of the reported usage, the output seen since and `unseenTokens`. Estimates never exceed the worst case. */
function seenCost(call: PricedCall, metered: Metered, tokensPerByte: number, unseenTokens: number): CallCost {
  const { usage, unpricedBytes, textBytes, hiddenMs } = metered;
  const reported = completeCost(call, metered);
  if (usage === null) return { ...reported, costNano: ZERO };
  const isPriced = unpricedBytes === 0 && textBytes > 0;
  const since = isPriced ? 0 : Math.ceil(unpricedBytes * tokensPerByte) + thinkingTokens(hiddenMs) + unseenTokens;
  // The output count at the beginning of a stream is only a start value, so it is not added to what came since.
  const output = unpricedBytes === textBytes ? Math.max(usage.output, since) : usage.output + since;
  const seen = completeCost(call, { ...metered, usage: { ...usage, output } });
  const mostNano = max(reported.costNano, call.plan.worstNano);
  return { ...seen, costNano: min(seen.costNano, mostNano), estimated: true };
}
