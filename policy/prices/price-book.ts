import { canonicalModel, isLatest } from '../core/model-name.ts';
import { max, type Nano } from '../core/money.ts';

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
  /** The multiplier of all token prices for inference within a region, in ten-thousandths: 11_000n is ×1.1. */
  readonly geo: bigint;
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
}

/** The token prices of each model over time, checked. Immutable. */
export interface PriceBook {
  readonly version: string;
  /** By id and by alias: the model's rates in order of time, without a gap. */
  readonly models: ReadonlyMap<string, readonly Rate[]>;
  /** The highest rates of all models, in order of time, without a gap. */
  readonly highest: readonly Rate[];
  /** The price of one web search. Nano-dollars. */
  readonly webSearchNano: Nano;
  /** The price of an hour of a code execution container. Nano-dollars. */
  readonly containerHourNano: Nano;
}

/** `Rate.geo` of a model without a surcharge. */
export const GEO_UNIT = 10_000n;

/**
 * The rate of a model at an instant (milliseconds); null if the book does not have the model. The first row also holds
 * before its start, since earlier prices are not known.
 */
export function rateAt(book: PriceBook, model: string, at: number): Rate | null {
  const rates = book.models.get(knownName(book, model) ?? '');
  return rates === undefined ? null : rateDuring(rates, at);
}

/** The name by which the book has a model; null if it does not have it, or several that the name may mean. */
export function knownName(book: PriceBook, model: string): string | null {
  if (book.models.has(model)) return model;
  const name = canonicalModel(model);
  if (!book.models.has(name) || (isLatest(model) && hasVersions(book, name))) return null;
  return name;
}

function hasVersions(book: PriceBook, name: string): boolean {
  const own = book.models.get(name);
  return [...book.models].some(([other, rates]) => rates !== own && other.startsWith(`${name}-`));
}

/** A name of a model, and all that the book has for it. */
export function namesOf(book: PriceBook, model: string): readonly string[] {
  const name = knownName(book, model);
  return name === null ? [model] : [model, ...book.models.get(name)![0]!.names];
}

/**
 * All names that a limit must look for. A model that the book lacks may be any whose name is in its own or the other way
 * round: another platform's spelling of a model must not get round the model's budget.
 */
export function possibleNames(book: PriceBook, model: string): readonly string[] {
  if (knownName(book, model) !== null) return namesOf(book, model);
  const name = canonicalModel(model.toLowerCase());
  const related = [...book.models.keys()].filter((other) => other.includes(name) || name.includes(other));
  return [model, name, ...related];
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
