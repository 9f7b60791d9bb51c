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
  /** The bound that its bytes give, even where less was reserved by a count of its tokens. */
  readonly worstNano: bigint;
  readonly prices: PriceBook;
  /** When it was admitted, by the ledger's clock. Milliseconds. */
  readonly at: number;
}

/** What of a reservation is booked, and what stays presumed because the upstream may still bill it. Nano-dollars. */
export interface CallCost {
  readonly costNano: bigint;
  readonly presumedNano: bigint;
  /** The cost was not taken from a final usage. */
  readonly estimated: boolean;
  readonly usage: Usage | null;
  /** The model that the cost is of. */
  readonly model: string;
}

/** Tokens that a stream may have written by the time it notices that it is cancelled: a fifth of a second of output. */
const ON_THE_WAY = 16;

/**
 * What a call that reached the upstream costs, however it ended. `density`: tokens for a byte of visible output, for an
 * answer that did not come to its end, because the upstream's own count comes only there.
 */
export function callCost(reserved: ReservedCall, metered: Metered, isCancelled: boolean, density: number): CallCost {
  if (metered.complete) return bookWhole(reserved, metered);
  return isCancelled ? bookCancelled(reserved, metered, density) : bookBroken(reserved, metered, density);
}

/** What of a booking the metrics count. */
export function billedFigures({ facts, prices, at }: ReservedCall, { costNano, usage, model }: CallCost): Billed {
  if (usage === null) return { costNano, tokens: null, cache: null };
  const cache = cacheEffect(usage, (one) => cost(one, model, prices, at, facts.model));
  return { costNano, tokens: billedTokens(usage, model), cache };
}

/** An answer that came to its end costs exactly what it says, or the worst where it says nothing or what cannot be. */
function bookWhole(reserved: ReservedCall, metered: Metered): CallCost {
  const model = metered.model ?? reserved.model;
  const { usage } = metered;
  const { facts, prices: book, at, worstNano } = reserved;
  const bill = usage === null ? null : billOf(usage, { facts, model, book, at });
  if (bill === null) return { costNano: worstNano, presumedNano: 0n, estimated: true, usage: null, model };
  return { ...bill, presumedNano: 0n, usage, model };
}

/** Of an answer that broke off what was seen is booked, and the rest stays presumed: the upstream may bill it all. */
function bookBroken(reserved: ReservedCall, metered: Metered, density: number): CallCost {
  const seen = bookSeen(reserved, metered, density, 0);
  const rest = reserved.worstNano - seen.costNano;
  return { ...seen, presumedNano: rest > 0n ? rest : 0n };
}

/**
 * A stream that was cancelled because its caller left is booked as far as it was seen, on the assumption that the
 * upstream bills no further. Of one that had not begun the prompt is booked at its bound.
 */
function bookCancelled(reserved: ReservedCall, metered: Metered, density: number): CallCost {
  if (metered.usage !== null) return bookSeen(reserved, metered, density, ON_THE_WAY);
  const { facts, prices, model, at } = reserved;
  const costNano = worstCost({ ...facts, maxTokens: 0 }, prices, at);
  return { costNano, presumedNano: 0n, estimated: true, usage: null, model };
}

/**
 * What was said of the usage, at `density` what was seen since, and `unseen` tokens more. An estimate never carries it
 * beyond the worst case.
 */
function bookSeen(reserved: ReservedCall, metered: Metered, density: number, unseen: number): CallCost {
  const { usage, unpricedBytes, textBytes, hiddenMs } = metered;
  const said = bookWhole(reserved, metered);
  if (usage === null) return { ...said, costNano: 0n };
  const isPriced = unpricedBytes === 0 && textBytes > 0;
  const since = isPriced ? 0 : Math.ceil(unpricedBytes * density) + thinkingTokens(hiddenMs) + unseen;
  // What a stream says of its output as it begins is a beginning, and no count to go on from.
  const output = unpricedBytes === textBytes ? Math.max(usage.output, since) : usage.output + since;
  const seen = bookWhole(reserved, { ...metered, usage: { ...usage, output } });
  const { worstNano } = reserved;
  const most = said.costNano > worstNano ? said.costNano : worstNano;
  return { ...seen, costNano: seen.costNano < most ? seen.costNano : most, estimated: true };
}
