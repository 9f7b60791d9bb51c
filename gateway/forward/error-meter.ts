import { errorTypeOf, parseAnswer } from './answer-fields.ts';
import { type Meter, type Metered, UNMETERED } from './meter.ts';

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
