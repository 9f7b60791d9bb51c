/** What a usage costs. Billed is the sum over `iterations` if there are any. */

import { canonicalModel } from '../core/model-name.ts';
import { add, ceilDiv, type Nano, times } from '../core/money.ts';
import {
  GEO_UNIT,
  higherRate,
  highestRateAt,
  knownName,
  type PriceBook,
  type Prices,
  type Rate,
  rateAt,
  similarRates,
} from './price-book.ts';
import type { Iteration, Tokens, Usage } from './usage.ts';

/**
 * The exact cost of tokens and searches in nano-dollars, at the prices of an instant (milliseconds), rounded up once. An
 * iteration that may be of the model that served or of the one that was asked for has the higher price of the two. A
 * prepaid tier does not lower the cost.
 */
export function cost(usage: Usage, servedModel: string, book: PriceBook, at: number, askedModel = servedModel): Nano {
  const price = (part: Tokens, rate: Rate): bigint => partCost(part, usage, rate);
  const asked = rateAt(book, askedModel, at) ?? highestRateAt(book, at);
  const served = (part: Tokens, model: string): bigint => {
    const known = rateAt(book, model, at);
    if (known !== null) return price(part, known);
    const askedCost = price(part, asked);
    const similar = similarRates(book, model, at);
    const isCovered = similar.length > 0 && similar.every((rate) => price(part, rate) <= askedCost);
    return isCovered ? askedCost : price(part, highestRateAt(book, at));
  };
  const listed = charged(usage, servedModel).reduce((sum, part) => {
    if (part.model !== null) return sum + served(part, part.model);
    const [servedCost, askedCost] = [served(part, servedModel), price(part, asked)];
    return sum + (servedCost > askedCost ? servedCost : askedCost);
  }, 0n);
  const total = usage.declined || isListed(usage) ? 0n : served(usage, servedModel);
  const tokens = total > listed ? total : listed;
  const searches = times(book.webSearchNano, usage.webSearches);
  // Fast inference is never part of a batch, so an answer that says both gets no discount.
  return add(ceilDiv(tokens, usage.batch && !usage.fast ? 2n * TOKEN_UNIT : TOKEN_UNIT), searches);
}

/**
 * Whether a model answered that the book does not know. Its price is then the one of the model that was asked for, if no
 * model with a similar name costs more, else the highest.
 */
export function hasUnknownModel(usage: Usage, servedModel: string, book: PriceBook): boolean {
  const models = charged(usage, servedModel).map((part) => part.model ?? servedModel);
  return [servedModel, ...models].some((model) => knownName(book, model) === null);
}

/** The tokens that `cost` charges for, of all inferences together. */
export function billedTokens(usage: Usage, servedModel: string): Tokens {
  const parts = charged(usage, servedModel);
  const isTotal = !usage.declined && !isListed(usage);
  const count = (kind: Kind): number => {
    const listed = parts.reduce((sum, part) => sum + part[kind], 0);
    return isTotal ? Math.max(usage[kind], listed) : listed;
  };
  return {
    input: count('input'),
    cacheWrite5m: count('cacheWrite5m'),
    cacheWrite1h: count('cacheWrite1h'),
    cacheRead: count('cacheRead'),
    output: count('output'),
  };
}

/** Token prices are nano-dollars for a million tokens, times a multiplier in ten-thousandths. */
export const TOKEN_UNIT: bigint = 1_000_000n * GEO_UNIT;

/** The iterations that are billed: an attempt that declined before any output is listed but not billed. */
function charged({ iterations, declined }: Usage, servedModel: string): readonly Iteration[] {
  const last = iterations.findLastIndex((part) => part.answers);
  return iterations.filter((part, i) => {
    if (!part.answers) return true;
    if (declined) return part.output > 0 && i !== last;
    return part.output > 0 || part.model === null || isSpelledAs(servedModel, part.model);
  });
}

function isSpelledAs(model: string, name: string): boolean {
  return name === model || canonicalModel(name) === canonicalModel(model);
}

const KINDS = ['input', 'cacheWrite5m', 'cacheWrite1h', 'cacheRead', 'output'] as const;
type Kind = (typeof KINDS)[number];

/** Whether the iterations account for all of the totals; if not, the totals are the least that is billed. */
function isListed(usage: Usage): boolean {
  if (usage.iterations.length === 0) return false;
  const answered = usage.iterations.filter((part) => part.answers);
  return KINDS.every((kind) => answered.reduce((sum, part) => sum + part[kind], 0) >= usage[kind]);
}

/** In `TOKEN_UNIT`s of a nano-dollar. */
function partCost(part: Tokens, usage: Usage, rate: Rate): bigint {
  const prices = pricesOf(promptOf(part), usage.fast, rate);
  const sum =
    BigInt(part.input) * prices.input +
    BigInt(part.cacheWrite5m) * prices.cacheWrite5m +
    BigInt(part.cacheWrite1h) * prices.cacheWrite1h +
    BigInt(part.cacheRead) * prices.cacheRead +
    BigInt(part.output) * prices.output;
  return sum * (usage.regional ? rate.geo : GEO_UNIT);
}

function pricesOf(promptTokens: number, fast: boolean, rate: Rate): Prices {
  const { standard, longPrompt } = rate;
  const long = longPrompt !== null && promptTokens > longPrompt.abovePromptTokens ? longPrompt.prices : null;
  if (fast) return long === null ? rate.fast : higherRate(rate.fast, long);
  return long ?? standard;
}

function promptOf(part: Tokens): number {
  return part.input + part.cacheWrite5m + part.cacheWrite1h + part.cacheRead;
}
