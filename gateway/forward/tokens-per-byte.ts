import type { Metered } from './meter.ts';

/** Tokens for a byte of text, until enough was learned: text has hardly ever fewer than two bytes for a token. */
const CAUTIOUS = 0.5;
/** However sparse the answers are: prose has four bytes for a token, rarely five. */
const LEAST = 0.2;
/** What an answer weighs once the next one has come: the last fifty or so count. */
const FADE = 0.98;
/** How many answers, and how many bytes of them, are enough. */
const ENOUGH = { answers: 20, bytes: 2_000 };

/** What a model thinks in a second, where that cannot be seen: few are faster. */
const THOUGHT_PER_SECOND = 100;

/** The output tokens of so many milliseconds of thinking that showed nothing. */
export function thinkingTokens(hiddenMs: number): number {
  return Math.ceil((hiddenMs * THOUGHT_PER_SECOND) / 1000);
}

interface Learned {
  answers: number;
  /** Sums that fade: of all answers, so that long ones count more than short ones. */
  tokens: number;
  bytes: number;
  /** How far each answer's tokens were from what the others would have told. */
  deviation: number;
}

/**
 * How many output tokens a byte of visible text stands for, by model: learned from streams that came to their end, which
 * say what they cost, and used for those that did not. Bytes of UTF-8 are counted and not characters, because scripts
 * differ less in them.
 */
export class TokensPerByte {
  readonly #learned = new Map<string, Learned>();

  /** Tokens for a byte, on the high side: the mean and twice the mean deviation from it. */
  of(model: string): number {
    const learned = this.#learned.get(model);
    if (learned === undefined || learned.answers < ENOUGH.answers || learned.bytes < ENOUGH.bytes) return CAUTIOUS;
    return Math.max(LEAST, (learned.tokens + 2 * learned.deviation) / learned.bytes);
  }

  /** Learns from a stream that came to its end. */
  learn(model: string, { usage, textBytes, hiddenMs }: Pick<Metered, 'usage' | 'textBytes' | 'hiddenMs'>): void {
    if (usage === null || usage.output === 0) return;
    const output = Math.max(0, usage.output - thinkingTokens(hiddenMs));
    const before = this.#learned.get(model) ?? { answers: 0, tokens: 0, bytes: 0, deviation: 0 };
    const tokens = before.tokens * FADE + output;
    const bytes = before.bytes * FADE + textBytes;
    const expected = bytes === 0 ? 0 : (textBytes * tokens) / bytes;
    const deviation = before.deviation * FADE + Math.abs(output - expected);
    this.#learned.set(model, { answers: before.answers + 1, tokens, bytes, deviation });
  }
}
