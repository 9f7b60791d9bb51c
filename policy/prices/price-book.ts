/** The price book: what a token of each model costs, and from when. Every price is a bigint. */

/** Prices of one million tokens, in nano-dollars. */
export interface Prices {
  readonly input: bigint;
  readonly cacheWrite5m: bigint;
  readonly cacheWrite1h: bigint;
  readonly cacheRead: bigint;
  readonly output: bigint;
}

/** What a model costs between two instants. */
export interface Rate {
  /** The model's id in the book and its aliases; none for the dearest of all. */
  readonly names: readonly string[];
  /** The instants between which it holds, half-open, in milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
  readonly standard: Prices;
  /** Replaces `standard` for a whole prompt of strictly more than `abovePromptTokens` (input, writes and reads). */
  readonly longPrompt: { readonly abovePromptTokens: number; readonly prices: Prices } | null;
  /** For `speed: fast`. Where the book has no such row it is the dearest one: what is unknown is never cheap. */
  readonly fast: Prices;
  /** Multiplies all token prices where inference is kept in a region; in ten-thousandths: 11_000n is ×1.1. */
  readonly geo: bigint;
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
}

/** A price book, checked. Immutable. */
export interface PriceBook {
  readonly version: string;
  /** By id and by alias: the model's rates in order of time, without a gap. */
  readonly models: ReadonlyMap<string, readonly Rate[]>;
  /** The dearest of all models, in order of time, without a gap. */
  readonly dearest: readonly Rate[];
  /** Nano-dollars for one web search. */
  readonly webSearchNano: bigint;
  /** Nano-dollars for a container in which tools run, for an hour. */
  readonly containerHourNano: bigint;
}

/** `Rate.geo` of a model without a surcharge. */
export const GEO_UNIT = 10_000n;

/**
 * The rate of a model at an instant (milliseconds); null where the book does not know the model.
 * Before a model's first row the first row holds: its earlier history is not known.
 */
export function rateAt(book: PriceBook, model: string, at: number): Rate | null {
  const rates = book.models.get(model) ?? book.models.get(canonicalName(model));
  return rates === undefined ? null : during(rates, at);
}

/** The name under which the book has a model; null where it does not know it. */
export function knownName(book: PriceBook, model: string): string | null {
  return [model, canonicalName(model)].find((name) => book.models.has(name)) ?? null;
}

/** The dearest of every kind of token over all models at an instant: the price of a model that the book does not know. */
export function highestRateAt(book: PriceBook, at: number): Rate {
  return during(book.dearest, at);
}

/** Token by token the dearer of the two. */
export function higherRate(a: Prices, b: Prices): Prices {
  return {
    input: max(a.input, b.input),
    cacheWrite5m: max(a.cacheWrite5m, b.cacheWrite5m),
    cacheWrite1h: max(a.cacheWrite1h, b.cacheWrite1h),
    cacheRead: max(a.cacheRead, b.cacheRead),
    output: max(a.output, b.output),
  };
}

/**
 * Strips the spellings that are documented to name the same model at the same price: `[1m]`, a release date, and the
 * global prefix and version of cloud platforms. Nothing else: a longer name is another model (claude-opus-5 is no price
 * for claude-opus-5-9), and a regional prefix is another price.
 */
function canonicalName(model: string): string {
  return model
    .replace(/\[1m\]$/, '')
    .replace(/^(?:global\.)?anthropic\./, '')
    .replace(/-v\d+(?::\d+)?$/, '')
    .replace(/[-@]\d{8}$/, '');
}

/** The rate of an instant (milliseconds), among rates in order of time. */
export function during(rates: readonly Rate[], at: number): Rate {
  return rates.find((rate) => at < rate.until) ?? (rates.at(-1) as Rate);
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
