import type { Metered } from './meter.ts';

/** Tokens per byte of text until enough was learned: text rarely has fewer than two bytes per token. */
const INITIAL = 0.5;
/** The lowest estimate: prose has four bytes per token, rarely five. */
const LEAST = 0.2;
/** The weight of an answer falls by this factor with each later one, so that about the last fifty count. */
const DECAY = 0.98;
/** How many answers and bytes are needed before the estimate is used. */
const ENOUGH = { answers: 20, bytes: 2_000 };

/** Tokens of hidden thinking in a second: few models are faster. */
const HIDDEN_TOKENS_PER_SECOND = 100;

/** The estimated output tokens of hidden thinking. */
export function thinkingTokens(hiddenMs: number): number {
  return Math.ceil((hiddenMs * HIDDEN_TOKENS_PER_SECOND) / 1000);
}

interface Learned {
  answers: number;
  /** Decaying sums over all answers, so that long answers count more than short ones. */
  tokens: number;
  bytes: number;
  /** Decaying sum of the differences between an answer's tokens and the estimate at that time. */
  deviation: number;
}

/**
 * Estimates the output tokens per byte of visible text, by model. It learns from complete streams, which report their
 * tokens, and is used for streams that were cut off. It counts bytes of UTF-8 instead of characters, because scripts differ
 * less in them.
 */
export class TokensPerByte {
  readonly #learned = new Map<string, Learned>();

  /** A high estimate: the mean plus twice the mean deviation. */
  of(model: string): number {
    const learned = this.#learned.get(model);
    if (learned === undefined || learned.answers < ENOUGH.answers || learned.bytes < ENOUGH.bytes) return INITIAL;
    return Math.max(LEAST, (learned.tokens + 2 * learned.deviation) / learned.bytes);
  }

  learn(model: string, { usage, textBytes, hiddenMs }: Pick<Metered, 'usage' | 'textBytes' | 'hiddenMs'>): void {
    if (usage === null || usage.output === 0) return;
    const output = Math.max(0, usage.output - thinkingTokens(hiddenMs));
    const before = this.#learned.get(model) ?? { answers: 0, tokens: 0, bytes: 0, deviation: 0 };
    const tokens = before.tokens * DECAY + output;
    const bytes = before.bytes * DECAY + textBytes;
    const expected = bytes === 0 ? 0 : (textBytes * tokens) / bytes;
    const deviation = before.deviation * DECAY + Math.abs(output - expected);
    this.#learned.set(model, { answers: before.answers + 1, tokens, bytes, deviation });
  }
}
