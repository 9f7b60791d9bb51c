import { canonicalModel, isLatest, isRegional } from '../core/model-name.ts';
import { ceilDiv, max, type Nano } from '../core/money.ts';

/** Prices of one million tokens, in nano-dollars. */
export interface Prices {
  readonly input: Nano;
  readonly cacheWrite5m: Nano;
  readonly cacheWrite1h: Nano;
  readonly cacheRead: Nano;
  readonly output: Nano;
}

/** The prices of a model between two instants. */
export interface Rate {
  /** The model's id in the book and its aliases; empty for the highest rate of all models. */
  readonly names: readonly string[];
  /** The interval in which it holds, half-open, in milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
  readonly standard: Prices;
  /** Replaces `standard` for a whole prompt of more than `abovePromptTokens` (input, cache writes and reads). */
  readonly longPrompt: { readonly abovePromptTokens: number; readonly prices: Prices } | null;
  /** For `speed: fast`; the highest one if the book has no such row, since an unknown price is never low. */
  readonly fast: Prices;
  /** Whether the book has such a row: other models have no fast mode. */
  readonly hasFast: boolean;
  /** The multiplier of all token prices for inference within a region, in ten-thousandths: 11_000n is ×1.1. */
  readonly geo: bigint;
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
}

/** The token prices of each model over time, checked. Immutable. */
export interface PriceBook {
  readonly version: string;
  /** By id, by alias and by the shortest spelling of each: the model's rates in order of time, without a gap. */
  readonly models: ReadonlyMap<string, readonly Rate[]>;
  /** The highest rates of all models, in order of time, without a gap. */
  readonly highest: readonly Rate[];
  /** Models that Anthropic does not serve any more, by the shortest spelling: since when, as a date. */
  readonly retired: ReadonlyMap<string, string>;
  /** The price of one web search. Nano-dollars. */
  readonly webSearchNano: Nano;
  /** The price of an hour of a code execution container. Nano-dollars. */
  readonly containerHourNano: Nano;
}

/** `Rate.geo` of a model without a surcharge. */
export const GEO_UNIT = 10_000n;

/**
 * The rate of a model at an instant (milliseconds); null if the book does not have the model. The first row also holds
 * before its start, since earlier prices are not known. A name that asks for a region has the region's surcharge.
 */
export function rateAt(book: PriceBook, model: string, at: number): Rate | null {
  const own = book.models.get(model);
  if (own !== undefined) return rateDuring(own, at);
  const known = knownRates(book, model);
  if (known === null) return null;
  const rate = rateDuring(known, at);
  return isRegional(model) ? regionalRate(rate) : rate;
}

/** The id by which the book has a model; null if it does not have it, or several that the name may mean. */
export function knownName(book: PriceBook, model: string): string | null {
  return knownRates(book, model)?.[0]!.names[0] ?? null;
}

/** Whether two names are of one model. */
export function isSameModel(book: PriceBook, a: string, b: string): boolean {
  if (a === b) return true;
  const known = knownName(book, a);
  return known !== null && known === knownName(book, b);
}

/** The date on which Anthropic retired a model; null if it serves it, or never did. */
export function retiredOn(book: PriceBook, model: string): string | null {
  return book.retired.get(canonicalModel(model)) ?? null;
}

function knownRates(book: PriceBook, model: string): readonly Rate[] | null {
  const own = book.models.get(model);
  if (own !== undefined) return own;
  const name = canonicalModel(model);
  const rates = book.models.get(name);
  if (rates === undefined || (isLatest(model) && hasVersions(book, name, rates))) return null;
  return rates;
}

function hasVersions(book: PriceBook, name: string, own: readonly Rate[]): boolean {
  return [...book.models].some(([other, rates]) => rates !== own && other.startsWith(`${name}-`));
}

function regionalRate({ geo, longPrompt, ...rate }: Rate): Rate {
  const scaled = (prices: Prices): Prices => ({
    input: ceilDiv(prices.input * geo, GEO_UNIT),
    cacheWrite5m: ceilDiv(prices.cacheWrite5m * geo, GEO_UNIT),
    cacheWrite1h: ceilDiv(prices.cacheWrite1h * geo, GEO_UNIT),
    cacheRead: ceilDiv(prices.cacheRead * geo, GEO_UNIT),
    output: ceilDiv(prices.output * geo, GEO_UNIT),
  });
  return {
    ...rate,
    standard: scaled(rate.standard),
    longPrompt: longPrompt && { ...longPrompt, prices: scaled(longPrompt.prices) },
    fast: scaled(rate.fast),
    geo: GEO_UNIT,
  };
}

/** A name of a model, and all that the book has for it; of one that it lacks, the shortest spelling. */
export function namesOf(book: PriceBook, model: string): readonly string[] {
  const rates = knownRates(book, model);
  if (rates !== null) return [model, ...rates[0]!.names];
  return isLatest(model) ? [model] : [model, canonicalModel(model)];
}

/**
 * All names that a limit must look for. A model that the book lacks may be any whose name is in its own or the other way
 * round: another platform's spelling of a model must not get round the model's budget.
 */
export function possibleNames(book: PriceBook, model: string): readonly string[] {
  if (knownRates(book, model) !== null) return namesOf(book, model);
  return [model, canonicalModel(model.toLowerCase()), ...similarNames(book, model)];
}

/** The rates of the models that one which the book lacks may be: the one that its name extends, and those that extend it. */
export function similarRates(book: PriceBook, model: string, at: number): readonly Rate[] {
  const names = similarNames(book, model).toSorted((a, b) => b.length - a.length);
  const name = canonicalModel(model.toLowerCase());
  const extended = names.find((other) => name.includes(other));
  const meant = names.filter((other) => other === extended || other.includes(name));
  return meant.map((other) => rateDuring(book.models.get(other)!, at));
}

function similarNames(book: PriceBook, model: string): readonly string[] {
  const name = canonicalModel(model.toLowerCase());
  return [...book.models.keys()].filter((other) => other.includes(name) || name.includes(other));
}

/** The highest price of each kind of token over all models at an instant: the rate of a model that the book lacks. */
export function highestRateAt(book: PriceBook, at: number): Rate {
  return rateDuring(book.highest, at);
}

/** The higher of two prices for each kind of token. */
export function higherRate(a: Prices, b: Prices): Prices {
  return {
    input: max(a.input, b.input),
    cacheWrite5m: max(a.cacheWrite5m, b.cacheWrite5m),
    cacheWrite1h: max(a.cacheWrite1h, b.cacheWrite1h),
    cacheRead: max(a.cacheRead, b.cacheRead),
    output: max(a.output, b.output),
  };
}

/** The rate of an instant (milliseconds), among rates in order of time. */
export function rateDuring(rates: readonly Rate[], at: number): Rate {
  return rates.find((rate) => at < rate.until) ?? (rates.at(-1) as Rate);
}
