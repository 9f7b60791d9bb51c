import { ceilDiv } from '../core/money.ts';
import { higherRate, highestRateAt, GEO_UNIT, rateAt } from '../prices/price-book.ts';
import type { PriceBook, Prices, Rate } from '../prices/price-book.ts';
import { TOKEN_UNIT } from '../prices/usage.ts';
import type { RequestFacts } from '../request/request.ts';
import type { Advisor } from '../request/server-tools.ts';

/**
 * What a call can cost at most at an instant (milliseconds), in nano-dollars, rounded up: every token of the input bound
 * at the dearest price that the request lets apply, and `max_tokens` of output (thinking is part of them). The upstream
 * decides whether a prompt is a long one and whether it ran fast, so both the surcharge and its absence are covered.
 *
 * Each use of a tool that Anthropic runs is another sampling of up to a full context window, and so is each summing up;
 * an advisor's are at its own price, and every fallback may make the whole attempt again. What says no `max_uses` counts
 * as never used: see `looseEnds`.
 */
export function worstCost(facts: RequestFacts, book: PriceBook, at: number): bigint {
  const rateOf = (model: string): Rate => rateAt(book, model, at) ?? highestRateAt(book, at);
  const attempts = attemptsOf(facts);
  const tokens = attempts.reduce((sum, attempt) => sum + attemptCost(attempt, rateOf), 0n);
  const unit = facts.batch === true ? 2n * TOKEN_UNIT : TOKEN_UNIT;
  return ceilDiv(tokens, unit) + BigInt(attempts.length) * extras(facts, book);
}

/** How often the model may read the prompt and answer at most, its own summing up included. */
export function samplingsOf(facts: RequestFacts): number {
  return turnsOf(facts) * (facts.compacts ? 2 : 1) * (1 + facts.fallbacks.length);
}

/** A count may be a little off: what is reserved by it is so much more, in percent. */
const COUNT_MARGIN = 10;

/** A request of which the upstream has counted the tokens, at no more than its bytes allow. */
export function withCount(facts: RequestFacts, tokens: number): RequestFacts {
  const inputTokens = Math.ceil((tokens * (100 + COUNT_MARGIN)) / 100);
  const bound = facts.fillsContext ? Infinity : facts.inputTokens;
  return { ...facts, inputTokens: Math.min(inputTokens, bound), fillsContext: false };
}

/** Whether what is seen of an answer as it begins is all that its prompt can cost. */
export function isOneSampling(facts: RequestFacts): boolean {
  return samplingsOf(facts) === 1 && unboundedPaths(facts).length === 0;
}

/** What one sampling may read at most, in tokens. */
export function promptBound({ inputTokens, fillsContext, compacts }: RequestFacts, { contextWindow }: Rate): number {
  return fillsContext || compacts ? Math.max(inputTokens, contextWindow) : inputTokens;
}

/** What of a request has no bound, as paths in its body. Empty for one whose worst case is certain. */
export function unboundedPaths({ unbounded, serverTools }: RequestFacts): readonly string[] {
  const tools = serverTools.filter(({ maxUses }) => maxUses === null);
  const pathOf = ({ index, maxUsesSpan }: (typeof tools)[number]): string =>
    maxUsesSpan === null ? `tools[${index}]` : `tools[${index}].max_uses`;
  return [...unbounded, ...tools.map(pathOf)];
}

/** An answer tells of one speed, so where one attempt may be fast all of them count as that. */
function attemptsOf(facts: RequestFacts): readonly RequestFacts[] {
  const fast = facts.fast || facts.fallbacks.some((one) => one.fast);
  const fallbacks = facts.fallbacks.map(({ model, maxTokens }) => ({ model, maxTokens: maxTokens ?? facts.maxTokens }));
  return [facts, ...fallbacks].map((attempt) => ({ ...facts, ...attempt, fast }));
}

function turnsOf({ serverTools }: RequestFacts): number {
  return serverTools.reduce((turns, tool) => turns + (tool.maxUses ?? 0) * tool.turns, 1);
}

type RateOf = (model: string) => Rate;

/** In `TOKEN_UNIT`s of a nano-dollar. */
function attemptCost(facts: RequestFacts, rateOf: RateOf): bigint {
  const rate = rateOf(facts.model);
  const turns = turnsOf(facts);
  const prompt = promptBound(facts, rate);
  const prices = dearestPrices(prompt, facts.fast, rate);
  const sampling = BigInt(prompt) * inputPrice(facts, prices) + BigInt(facts.maxTokens) * prices.output;
  const summary = BigInt(prompt) * inputPrice(facts, prices) + BigInt(rate.maxOutputTokens) * prices.output;
  const own = BigInt(turns) * (sampling + (facts.compacts ? summary : 0n)) * geoOf(facts, rate);
  return facts.serverTools.reduce(
    (sum, { advisor, maxUses }) =>
      advisor === null ? sum : sum + BigInt(maxUses ?? 0) * adviceCost(facts, advisor, rateOf(advisor.model)),
    own,
  );
}

/** An advisor reads what the model has read, through a cache of its own. */
function adviceCost(facts: RequestFacts, { maxTokens }: Advisor, rate: Rate): bigint {
  const prices = dearestPrices(rate.contextWindow, facts.fast, rate);
  const input = BigInt(rate.contextWindow) * inputPrice({ cacheWrite: 'OneHour' }, prices);
  return (input + BigInt(maxTokens ?? rate.maxOutputTokens) * prices.output) * geoOf(facts, rate);
}

/** Searches, and a container for as long as a call can last. */
function extras({ serverTools, codeExecution }: RequestFacts, book: PriceBook): bigint {
  const searches = serverTools.reduce(
    (sum, { kind, maxUses }) => (kind === 'WebSearch' ? sum + BigInt(maxUses ?? 0) : sum),
    0n,
  );
  return searches * book.webSearchNano + (codeExecution === 'Charged' ? book.containerHourNano : 0n);
}

function geoOf({ geoUs }: RequestFacts, { geo }: Rate): bigint {
  return geoUs ? geo : GEO_UNIT;
}

function dearestPrices(prompt: number, fast: boolean, { standard, longPrompt, fast: fastPrices }: Rate): Prices {
  const plain = fast ? higherRate(standard, fastPrices) : standard;
  return longPrompt !== null && prompt > longPrompt.abovePromptTokens ? higherRate(plain, longPrompt.prices) : plain;
}

function inputPrice({ cacheWrite }: Pick<RequestFacts, 'cacheWrite'>, prices: Prices): bigint {
  let dearest = prices.input > prices.cacheRead ? prices.input : prices.cacheRead;
  if (cacheWrite !== 'None' && prices.cacheWrite5m > dearest) dearest = prices.cacheWrite5m;
  if (cacheWrite === 'OneHour' && prices.cacheWrite1h > dearest) dearest = prices.cacheWrite1h;
  return dearest;
}
