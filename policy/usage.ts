import type { PriceBook } from './prices.ts';

/** What the upstream says a call used, as Anthropic's `usage` has it, read field by field. Tokens. */
export interface Usage {
  readonly input: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly cacheRead: number;
  readonly output: number;
  readonly webSearches: number;
  /** `speed: fast` in the answer. */
  readonly fast: boolean;
  /** `inference_geo` of the answer is a region of its own. */
  readonly regional: boolean;
  /** A field that must be a non-negative integer is not, or names a charge that has no price: book the worst case. */
  readonly absurd: boolean;
}

/** Reads `usage` of an answer or of message_start. Never throws. */
export function readUsage(usage: unknown): Usage {
  throw new Error(String(usage));
}

/** Lays `usage` of a message_delta over what is known so far. Never throws. */
export function mergeDelta(usage: Usage, delta: unknown): Usage {
  throw new Error(String([usage, delta]));
}

/** The exact cost in nano-dollars, rounded up once. A model that the book does not know costs what the dearest does. */
export function cost(usage: Usage, servedModel: string, book: PriceBook, at: number): bigint {
  throw new Error(String([usage, servedModel, book, at]));
}

/** True where the usage cannot be: see `Usage.absurd`, or more than the model's context window or output maximum. */
export function isAbsurd(usage: Usage, servedModel: string, book: PriceBook, at: number): boolean {
  throw new Error(String([usage, servedModel, book, at]));
}
