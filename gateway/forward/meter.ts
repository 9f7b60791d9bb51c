import { readUsage, type Usage } from '../../policy/prices/usage.ts';
import { errorTypeOf, MODEL_REFUSED, modelOf, parseAnswer } from './answer-json.ts';

/** What an answer said about its usage, as far as it was seen. */
export interface Metered {
  /** Null if the answer has not said anything yet. */
  readonly usage: Usage | null;
  /** The model that served; null if the answer did not say. */
  readonly model: string | null;
  /** The answer was seen to its end, so nothing more will be known about it. */
  readonly complete: boolean;
  /** The `error.type` of an error, or of a stream that ended with one. */
  readonly errorType: string | null;
  /** Text, thinking and tool input that a stream sent since it last reported its usage. Bytes of UTF-8. */
  readonly unpricedBytes: number;
  /** The same, from the beginning of the stream. */
  readonly textBytes: number;
  /** How long the model thought without showing any of it. Milliseconds. */
  readonly hiddenMs: number;
}

/** An answer of which nothing was seen. */
export const UNMETERED: Metered = {
  usage: null,
  model: null,
  complete: false,
  errorType: null,
  unpricedBytes: 0,
  textBytes: 0,
  hiddenMs: 0,
};

/** Reads the decoded bytes of one answer. */
export interface Meter {
  /** The answer has said what its prompt costs. */
  readonly hasBegun: boolean;
  write(bytes: Buffer): void;
  /** Called once, after the last byte. Throws if the answer is longer than the longest string. */
  end(isComplete: boolean): Metered;
}

/** An answer in one piece says what it cost only when all of it is there. */
export class WholeMeter implements Meter {
  readonly hasBegun = false;
  readonly #chunks: Buffer[] = [];

  write(bytes: Buffer): void {
    this.#chunks.push(bytes);
  }

  end(isComplete: boolean): Metered {
    if (!isComplete) return UNMETERED;
    const answer = parseAnswer(Buffer.concat(this.#chunks).toString('utf8'));
    const usage = answer.usage === undefined ? null : readUsage(answer.usage);
    const isEmpty = Array.isArray(answer.content) && answer.content.length === 0;
    const declined = answer.stop_reason === MODEL_REFUSED && isEmpty;
    return { ...UNMETERED, usage: usage && { ...usage, declined }, model: modelOf(answer), complete: true };
  }
}

/** How many chunks of an error's body are kept to find its type: the body is short and usually one chunk. */
const ERROR_CHUNKS = 4;

/** An error costs nothing; only its type is of interest. */
export class ErrorMeter implements Meter {
  readonly hasBegun = false;
  readonly #chunks: Buffer[] = [];

  write(bytes: Buffer): void {
    if (this.#chunks.length < ERROR_CHUNKS) this.#chunks.push(bytes);
  }

  end(): Metered {
    const errorType = errorTypeOf(parseAnswer(Buffer.concat(this.#chunks).toString('utf8')));
    return { ...UNMETERED, errorType };
  }
}
