import type { IncomingHttpHeaders } from 'node:http';
import { readUsage } from '../../policy/prices/usage.ts';
import { MODEL_REFUSED, errorTypeOf, modelOf, parseAnswer } from './answer-fields.ts';
import { type ContentDecoder, decoderOf } from './content-decoder.ts';
import { type Meter, type Metered, UNMETERED } from './meter.ts';
import { StreamMeter } from './stream-meter.ts';

/** An error and a stream are passed on as they come; a whole answer is collected, because its headers say its cost. */
export type AnswerForm = 'Error' | 'Stream' | 'Whole';

/** The form of an answer with this status and these headers. */
export function answerForm(status: number, headers: IncomingHttpHeaders): AnswerForm {
  if (status >= 300) return 'Error';
  return headers['content-type']?.startsWith('text/event-stream') === true ? 'Stream' : 'Whole';
}

const METERS: Readonly<Record<AnswerForm, (elapsed: () => number) => Meter>> = {
  Error: () => new ErrorMeter(),
  Stream: (elapsed) => new StreamMeter(elapsed),
  Whole: () => new WholeMeter(),
};

/** Meters a decoded copy of an answer, which the caller gets as it came: a compressed one must be metered too. */
export class MeterTap {
  readonly #meter: Meter;
  readonly #decoder: ContentDecoder;

  /** `elapsed`: the monotonic clock. Milliseconds. */
  constructor(form: AnswerForm, encoding: string | undefined, elapsed: () => number) {
    const meter = METERS[form](elapsed);
    this.#meter = meter;
    // The type of an error is only a label, which is not worth a decompressor.
    this.#decoder = decoderOf(form === 'Error' ? undefined : encoding, (bytes) => meter.write(bytes));
  }

  get hasBegun(): boolean {
    return this.#meter.hasBegun;
  }

  write(chunk: Buffer): void {
    this.#decoder.write(chunk);
  }

  /** Calls `then` once all bytes that can be decoded were metered: the last ones may still be in the decompressor. */
  close(then: () => void): void {
    this.#decoder.end(then);
  }

  /** Called once, after `close`. Throws if the answer is longer than the longest string. */
  read(isComplete: boolean): Metered {
    return this.#meter.end(isComplete);
  }
}

/** How many chunks of an error's body are kept to find its type: the body is short and usually one chunk. */
const ERROR_CHUNKS = 4;

/** An error costs nothing; only its type is of interest. */
class ErrorMeter implements Meter {
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

/** An answer in one piece says what it cost only when all of it is there. */
class WholeMeter implements Meter {
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
