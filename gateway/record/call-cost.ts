import type { Billed } from '../../metrics/call-metrics.ts';
import { billOf } from '../../policy/cost/bill.ts';
import { worstCost } from '../../policy/cost/worst-cost.ts';
import { cacheEffect } from '../../policy/prices/cache-effect.ts';
import type { PriceBook } from '../../policy/prices/price-book.ts';
import { billedTokens, cost, type Usage } from '../../policy/prices/usage.ts';
import type { RequestFacts } from '../../policy/request/request.ts';
import type { Metered } from '../forward/meter.ts';
import { thinkingTokens } from '../forward/tokens-per-byte.ts';

/** What was reserved for a call, and at which prices. */
export interface ReservedCall {
  /** What was sent. */
  readonly facts: RequestFacts;
  /** The model that was sent. */
  readonly model: string;
  /** The worst case by the bytes of the request, even if less was reserved after counting its tokens. */
  readonly worstNano: bigint;
  readonly prices: PriceBook;
  /** When it was admitted, by the ledger's clock. Milliseconds. */
  readonly at: number;
}

/** What is booked of a reservation, and what stays presumed because the upstream may still bill it. Nano-dollars. */
export interface CallCost {
  readonly costNano: bigint;
  readonly presumedNano: bigint;
  /** The cost was not taken from a final usage. */
  readonly estimated: boolean;
  readonly usage: Usage | null;
  /** The model that the cost is for. */
  readonly model: string;
}

/** Tokens that a stream may have written before it notices that it was cancelled: a fifth of a second of output. */
const IN_FLIGHT_TOKENS = 16;

/**
 * What a call that reached the upstream costs, however it ended. `tokensPerByte` of visible output prices an answer that
 * was not seen to its end, because the upstream reports its own count only there.
 */
export function callCost(
  reserved: ReservedCall,
  metered: Metered,
  isCancelled: boolean,
  tokensPerByte: number,
): CallCost {
  if (metered.complete) return completeCost(reserved, metered);
  return isCancelled ? cancelledCost(reserved, metered, tokensPerByte) : brokenCost(reserved, metered, tokensPerByte);
}

/** What the metrics count of a call's cost. */
export function billedFigures({ facts, prices, at }: ReservedCall, { costNano, usage, model }: CallCost): Billed {
  if (usage === null) return { costNano, tokens: null, cache: null };
  const cache = cacheEffect(usage, (one) => cost(one, model, prices, at, facts.model));
  return { costNano, tokens: billedTokens(usage, model), cache };
}

/** A complete answer costs exactly what its usage says, or the worst case if it has none or an impossible one. */
function completeCost(reserved: ReservedCall, metered: Metered): CallCost {
  const model = metered.model ?? reserved.model;
  const { usage } = metered;
  const { facts, prices: book, at, worstNano } = reserved;
  const bill = usage === null ? null : billOf(usage, { facts, model, book, at });
  if (bill === null) return { costNano: worstNano, presumedNano: 0n, estimated: true, usage: null, model };
  return { ...bill, presumedNano: 0n, usage, model };
}

/** Of an answer that broke off, what was seen is booked; the rest stays presumed, since the upstream may bill it all. */
function brokenCost(reserved: ReservedCall, metered: Metered, tokensPerByte: number): CallCost {
  const seen = seenCost(reserved, metered, tokensPerByte, 0);
  const rest = reserved.worstNano - seen.costNano;
  return { ...seen, presumedNano: rest > 0n ? rest : 0n };
}

/**
 * Of a stream that was cancelled because its caller left, only what was seen is booked, on the assumption that the
 * upstream stops billing. If it had not begun, its prompt is booked at its upper bound.
 */
function cancelledCost(reserved: ReservedCall, metered: Metered, tokensPerByte: number): CallCost {
  if (metered.usage !== null) return seenCost(reserved, metered, tokensPerByte, IN_FLIGHT_TOKENS);
  const { facts, prices, model, at } = reserved;
  const costNano = worstCost({ ...facts, maxTokens: 0 }, prices, at);
  return { costNano, presumedNano: 0n, estimated: true, usage: null, model };
}

/**
 * The cost of the usage that was reported, of the output seen since (`tokensPerByte`) and of `unseenTokens` more. The
 * estimated part never raises it above the worst case.
 */
function seenCost(reserved: ReservedCall, metered: Metered, tokensPerByte: number, unseenTokens: number): CallCost {
  const { usage, unpricedBytes, textBytes, hiddenMs } = metered;
  const reported = completeCost(reserved, metered);
  if (usage === null) return { ...reported, costNano: 0n };
  const isPriced = unpricedBytes === 0 && textBytes > 0;
  const since = isPriced ? 0 : Math.ceil(unpricedBytes * tokensPerByte) + thinkingTokens(hiddenMs) + unseenTokens;
  // The output count at the beginning of a stream is only a start value, so it is not added to what came since.
  const output = unpricedBytes === textBytes ? Math.max(usage.output, since) : usage.output + since;
  const seen = completeCost(reserved, { ...metered, usage: { ...usage, output } });
  const { worstNano } = reserved;
  const most = reported.costNano > worstNano ? reported.costNano : worstNano;
  return { ...seen, costNano: seen.costNano < most ? seen.costNano : most, estimated: true };
}
