/**
 * The price book: what a token of each model costs, and from when. The data is `prices.json` (USD per million tokens,
 * as decimal strings), which an administrator may replace at run time; in memory every price is a bigint.
 */

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
  /** The model's id in the book; null for the dearest of all. */
  readonly model: string | null;
  /** The instants between which it holds, half-open, in milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
  readonly standard: Prices;
  /** Replaces `standard` for a whole prompt of strictly more than `abovePromptTokens` (input, writes and reads). */
  readonly longPrompt: { readonly abovePromptTokens: number; readonly prices: Prices } | null;
  /** For `speed: fast`. Where the book has no such row it is the dearest one: what is unknown is never cheap. */
  readonly fast: Prices;
  /** Multiplies all token prices outside `inference_geo: global`; in ten-thousandths, 11_000n is ×1.1. */
  readonly geo: bigint;
  readonly contextWindow: number;
  readonly maxOutputTokens: number;
}

/** A price book as `prices.json` has it, parsed and checked. Immutable. */
export interface PriceBook {
  readonly version: string;
  /** By id and by alias: the model's rates in order of time, without a gap. */
  readonly models: ReadonlyMap<string, readonly Rate[]>;
  /** The dearest of all models, in order of time, without a gap. */
  readonly dearest: readonly Rate[];
  /** Nano-dollars for one web search. */
  readonly webSearchNano: bigint;
}

/** The end of time, in milliseconds since the epoch: the last instant that a Date can hold, exact in a double. */
export const END_OF_TIME = 8_640_000_000_000_000;

/** What is wrong with a price book: one line for each problem, beginning with its path. */
export class PriceBookInvalid extends Error {
  override readonly name = 'PriceBookInvalid';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`the price book is invalid: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/** Reads a parsed price book file. Throws `PriceBookInvalid` with every problem named by its path. */
export function parsePriceBook(value: unknown): PriceBook {
  throw new PriceBookInvalid([String(value)]);
}

/**
 * The rate of a model at an instant (milliseconds); null where the book does not know the model.
 * Before a model's first row the first row holds: its earlier history is not known.
 */
export function rateAt(book: PriceBook, model: string, at: number): Rate | null {
  return book.models.get(model)?.find((rate) => at < rate.until) ?? null;
}

/** The dearest of every kind of token over all models at an instant: the price of a model that the book does not know. */
export function dearestAt(book: PriceBook, at: number): Rate {
  return book.dearest.find((rate) => at < rate.until) as Rate;
}
