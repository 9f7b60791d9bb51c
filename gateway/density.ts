import type { Metered } from './meter.ts';

/** Tokens for a byte of text, until enough was learned: text has hardly ever fewer than two bytes for a token. */
const CAUTIOUS = 0.5;
/** However sparse the answers are: prose has four bytes for a token, rarely five. */
const LEAST = 0.2;
/** What an answer weighs once the next one has come: the last fifty or so count. */
const FADE = 0.98;
/** How many answers, and how many bytes of them, are enough. */
const ENOUGH = { answers: 20, bytes: 2_000 };

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
 * say what they cost, and used for those that did not. Thinking that nobody gets to see is in the figure as well. Bytes
 * of UTF-8 are counted and not characters, because scripts differ less in them.
 */
export class Densities {
  readonly #learned = new Map<string, Learned>();

  /** Tokens for a byte, on the high side: the mean and twice the mean deviation from it. */
  of(model: string): number {
    const learned = this.#learned.get(model);
    if (learned === undefined || learned.answers < ENOUGH.answers || learned.bytes < ENOUGH.bytes) return CAUTIOUS;
    return Math.max(LEAST, (learned.tokens + 2 * learned.deviation) / learned.bytes);
  }

  /** Learns from a stream that came to its end. */
  learn(model: string, { usage, textBytes }: Pick<Metered, 'usage' | 'textBytes'>): void {
    if (usage === null || usage.output === 0) return;
    const before = this.#learned.get(model) ?? { answers: 0, tokens: 0, bytes: 0, deviation: 0 };
    const tokens = before.tokens * FADE + usage.output;
    const bytes = before.bytes * FADE + textBytes;
    const expected = bytes === 0 ? 0 : (textBytes * tokens) / bytes;
    const deviation = before.deviation * FADE + Math.abs(usage.output - expected);
    this.#learned.set(model, { answers: before.answers + 1, tokens, bytes, deviation });
  }
}
