import { dearer, GEO_UNIT } from './prices.ts';
import type { Prices, Rate } from './prices.ts';
import type { RequestFacts } from './request.ts';
import { ceilDiv, TOKEN_UNIT } from './usage.ts';

/**
 * What a call can cost at most, in nano-dollars, rounded up: every token of the input bound at the dearest price that the
 * request lets apply, and `max_tokens` of output (thinking is part of them). The upstream decides whether a prompt is a
 * long one and whether it ran fast, so both the surcharge and its absence are covered.
 */
export function worstCost(facts: RequestFacts, rate: Rate): bigint {
  const prices = dearestPrices(facts, rate);
  const tokens = BigInt(facts.inputTokens) * inputPrice(facts, prices) + BigInt(facts.maxTokens) * prices.output;
  return ceilDiv(tokens * (facts.geoUs ? rate.geo : GEO_UNIT), TOKEN_UNIT);
}

function dearestPrices({ inputTokens, fast }: RequestFacts, { standard, longPrompt, fast: fastPrices }: Rate): Prices {
  const plain = fast ? dearer(standard, fastPrices) : standard;
  return longPrompt !== null && inputTokens > longPrompt.abovePromptTokens ? dearer(plain, longPrompt.prices) : plain;
}

function inputPrice({ cacheWrite }: RequestFacts, prices: Prices): bigint {
  let dearest = prices.input > prices.cacheRead ? prices.input : prices.cacheRead;
  if (cacheWrite !== 'None' && prices.cacheWrite5m > dearest) dearest = prices.cacheWrite5m;
  if (cacheWrite === 'OneHour' && prices.cacheWrite1h > dearest) dearest = prices.cacheWrite1h;
  return dearest;
}
