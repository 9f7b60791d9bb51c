import { isApiError } from '../../policy/cost/api-error.ts';
import { readUsage } from '../../policy/prices/usage.ts';
import { type AnswerJSON, errorTypeOf, MODEL_REFUSED, modelOf } from './answer-fields.ts';
import { FieldScanner } from './field-scanner.ts';
import { type Meter, type Metered, UNMETERED } from './meter.ts';

/** The fields of an answer in one piece that are read, and the longest value of each in bytes. */
const FIELDS = {
  type: 64,
  error: 16 * 1024,
  usage: 256 * 1024,
  model: 1024,
  stop_reason: 64,
  // Only whether it is empty matters.
  content: 16,
};

/** Meters an answer in one piece: a message, an error, or whatever stands in front of the API answers. */
export class WholeMeter implements Meter {
  readonly hasBegun = false;
  readonly #scanner = new FieldScanner(FIELDS);
  readonly #isError: boolean;
  readonly #isJSON: boolean;
  #hasBytes = false;

  /** `isError`: by its status it is no message. `isJSON`: by its content type. */
  constructor(isError: boolean, isJSON: boolean) {
    this.#isError = isError;
    this.#isJSON = isJSON;
  }

  write(bytes: Buffer): void {
    this.#hasBytes ||= bytes.length > 0;
    this.#scanner.write(bytes);
  }

  end(isWhole: boolean): Metered {
    const fields = this.#scanner.end();
    const answer: AnswerJSON = fields ?? {};
    const usage = answer.usage === undefined ? null : readUsage(answer.usage);
    const isEmpty = Array.isArray(answer.content) && answer.content.length === 0;
    const declined = answer.stop_reason === MODEL_REFUSED && isEmpty;
    return {
      ...UNMETERED,
      usage: usage && { ...usage, declined },
      isFinal: usage !== null,
      model: modelOf(answer),
      isComplete: isWhole,
      hasContent: this.#isError ? answer.content !== undefined : this.#hasBytes,
      isApiError: isWhole && this.#isJSON && isApiError(answer),
      errorType: errorTypeOf(answer),
    };
  }
}
