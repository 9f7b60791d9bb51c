import { add, ceilDiv, max, type Nano, times, ZERO } from '../core/money.ts';
import { higherRate, highestRateAt, GEO_UNIT, rateAt } from '../prices/price-book.ts';
import type { PriceBook, Prices, Rate } from '../prices/price-book.ts';
import { TOKEN_UNIT } from '../prices/usage-cost.ts';
import type { RequestFacts } from '../request/request.ts';
import type { Advisor } from '../request/server-tools.ts';

/**
 * The worst cost of a call at an instant (milliseconds), in nano-dollars, rounded up: every token of the input bound at
 * the highest price that can apply to the request, and output of `max_tokens`, or of the thinking budget where that is
 * larger. The upstream decides whether a prompt is long and whether it ran fast, so the prices with and without these
 * surcharges are covered.
 *
 * Each use of a tool that Anthropic runs is another inference over up to a full context window, and so is compaction; an
 * advisor's inferences have its own price, and every fallback may repeat the whole attempt. A tool without `max_uses`
 * counts as unused here; `unboundedPaths` names it.
 *
 * What is unknown in a request may do all of what is known: fill the context window, write it to the longest-lived cache,
 * ask for fast mode and a region, for all the output that the model can write, and take the discount of a batch back.
 */
export function worstCost(facts: RequestFacts, book: PriceBook, at: number): Nano {
  const rateOf = (model: string): Rate => rateAt(book, model, at) ?? highestRateAt(book, at);
  const attempts = attemptsOf(facts);
  const tokens = attempts.reduce((sum, attempt) => sum + attemptCost(attempt, rateOf), 0n);
  const isHalved = facts.batch === true && !hasUnknown(facts);
  const unit = isHalved ? 2n * TOKEN_UNIT : TOKEN_UNIT;
  return add(ceilDiv(tokens, unit), times(surcharges(facts, book), attempts.length));
}

/** The maximum number of inferences of the call, with compaction and without those of an advisor. */
export function maxInferences(facts: RequestFacts): number {
  return inferencesOf(facts) * (facts.compacts ? 2 : 1) * (1 + facts.fallbacks.length);
}

/** A count may be slightly off, so the reservation has this much more. Percent. */
const COUNT_MARGIN = 10;

/** The request with the tokens that the upstream counted (plus the margin), but at most the bound by its bytes. */
export function withCount(facts: RequestFacts, tokens: number): RequestFacts {
  const inputTokens = Math.ceil((tokens * (100 + COUNT_MARGIN)) / 100);
  const bound = facts.fillsContext ? Infinity : facts.inputTokens;
  return { ...facts, inputTokens: Math.min(inputTokens, bound), fillsContext: false };
}

/** Whether count_tokens counts everything that an inference reads. */
export function isCountable(facts: RequestFacts): boolean {
  return facts.countable && !hasUnknown(facts);
}

/** Whether the call is one inference, so that the usage at the start of its answer covers the whole prompt cost. */
export function isSingleInference(facts: RequestFacts): boolean {
  return maxInferences(facts) === 1 && unboundedPaths(facts).length === 0 && !hasUnknown(facts);
}

/** Whether it has names that are neither known nor listed as harmless. */
function hasUnknown({ unknown }: RequestFacts): boolean {
  return unknown.length > 0;
}

/** The maximum prompt of one inference, in tokens. */
export function promptBound(facts: RequestFacts, { contextWindow }: Rate): number {
  const { inputTokens, fillsContext, compacts } = facts;
  return fillsContext || compacts || hasUnknown(facts) ? Math.max(inputTokens, contextWindow) : inputTokens;
}

/** The maximum output of one inference, in tokens: interleaved thinking may use its whole budget, beyond `max_tokens`. */
function outputBound({ maxTokens, thinkingBudget }: RequestFacts): number {
  return Math.max(maxTokens, thinkingBudget ?? 0);
}

/** The parts of a request that have no bound, as paths in its body. */
export function unboundedPaths({ unbounded, serverTools, unknown }: RequestFacts): readonly string[] {
  const tools = serverTools.filter(({ maxUses }) => maxUses === null);
  const pathOf = ({ index, maxUsesSpan }: (typeof tools)[number]): string =>
    maxUsesSpan === null ? `tools[${index}]` : `tools[${index}].max_uses`;
  const names = unknown.flatMap(({ risk, path }) => (risk === 'Unbounded' ? [path] : []));
  return [...unbounded, ...tools.map(pathOf), ...names];
}

/** The request at its own model and at each fallback. An answer reports one speed for all, so if one may be fast, all are. */
export function attemptsOf(facts: RequestFacts): readonly RequestFacts[] {
  const fast = facts.fast || facts.fallbacks.some((one) => one.fast);
  const fallbacks = facts.fallbacks.map(({ model, maxTokens, thinkingBudget }) => ({
    model,
    maxTokens: maxTokens ?? facts.maxTokens,
    thinkingBudget,
  }));
  return [facts, ...fallbacks].map((attempt) => ({ ...facts, ...attempt, fast }));
}

/** The inferences of one attempt, without compaction. */
function inferencesOf({ serverTools }: RequestFacts): number {
  return serverTools.reduce((sum, tool) => sum + (tool.maxUses ?? 0) * tool.inferencesPerUse, 1);
}

type RateOf = (model: string) => Rate;

/** In nano-dollars per `TOKEN_UNIT`. */
function attemptCost(asked: RequestFacts, rateOf: RateOf): bigint {
  const rate = rateOf(asked.model);
  const facts = hasUnknown(asked) ? atHighest(asked, rate) : asked;
  const inferences = inferencesOf(facts);
  const prompt = promptBound(facts, rate);
  const prices = highestPrices(prompt, facts.fast, rate);
  const inference = BigInt(prompt) * inputPrice(facts, prices) + BigInt(outputBound(facts)) * prices.output;
  const compaction = BigInt(prompt) * inputPrice(facts, prices) + BigInt(rate.maxOutputTokens) * prices.output;
  const own = BigInt(inferences) * (inference + (facts.compacts ? compaction : 0n)) * geoOf(facts, rate);
  return facts.serverTools.reduce(
    (sum, { advisor, maxUses }) =>
      advisor === null ? sum : sum + BigInt(maxUses ?? 0) * advisorCost(facts, advisor, rateOf(advisor.model)),
    own,
  );
}

/** The request with all that can make one of this model dearer. */
function atHighest(facts: RequestFacts, { hasFast, maxOutputTokens }: Rate): RequestFacts {
  return {
    ...facts,
    maxTokens: Math.max(facts.maxTokens, maxOutputTokens),
    cacheWrite: 'OneHour',
    fast: facts.fast || hasFast,
    regional: true,
  };
}

/** An advisor reads what the model has read, with a cache of its own. */
function advisorCost(facts: RequestFacts, { maxTokens }: Advisor, rate: Rate): bigint {
  const prices = highestPrices(rate.contextWindow, facts.fast, rate);
  const input = BigInt(rate.contextWindow) * inputPrice({ cacheWrite: 'OneHour' }, prices);
  return (input + BigInt(maxTokens ?? rate.maxOutputTokens) * prices.output) * geoOf(facts, rate);
}

/** Web searches, and a container for an hour, the longest that a call can last. */
function surcharges({ serverTools, codeExecution }: RequestFacts, book: PriceBook): Nano {
  const searches = serverTools.reduce(
    (sum, { kind, maxUses }) => (kind === 'WebSearch' ? sum + (maxUses ?? 0) : sum),
    0,
  );
  return add(times(book.webSearchNano, searches), codeExecution === 'Charged' ? book.containerHourNano : ZERO);
}

function geoOf({ regional }: RequestFacts, { geo }: Rate): bigint {
  return regional ? geo : GEO_UNIT;
}

function highestPrices(prompt: number, fast: boolean, { standard, longPrompt, fast: fastPrices }: Rate): Prices {
  const base = fast ? higherRate(standard, fastPrices) : standard;
  return longPrompt !== null && prompt > longPrompt.abovePromptTokens ? higherRate(base, longPrompt.prices) : base;
}

function inputPrice({ cacheWrite }: Pick<RequestFacts, 'cacheWrite'>, prices: Prices): Nano {
  const highest = max(prices.input, prices.cacheRead);
  if (cacheWrite === 'None') return highest;
  return max(highest, cacheWrite === 'OneHour' ? max(prices.cacheWrite5m, prices.cacheWrite1h) : prices.cacheWrite5m);
}
