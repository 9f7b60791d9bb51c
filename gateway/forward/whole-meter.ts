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
  readonly isStream = false;
  readonly hasBegun = false;
  readonly #scanner = new FieldScanner(FIELDS);
  readonly #promise: 'Answer' | 'Error';
  readonly #mediaType: string;
  #hasBytes = false;

  /** `promise`: what its status says that it is. `type`: its media type. */
  constructor(promise: 'Answer' | 'Error', type: string) {
    this.#promise = promise;
    this.#mediaType = type;
  }

  write(bytes: Buffer): void {
    this.#hasBytes ||= bytes.length > 0;
    this.#scanner.write(bytes);
  }

  end(isWhole: boolean): Metered {
    const fields = this.#scanner.end();
    const answer: AnswerJSON = fields ?? {};
    const usage = answer.usage == null ? null : readUsage(answer.usage);
    const isEmpty = Array.isArray(answer.content) && answer.content.length === 0;
    const declined = answer.stop_reason === MODEL_REFUSED && isEmpty;
    const isError = isApiError(answer);
    // Of bytes that cannot be read, only a page and an error are certainly no model's.
    const isForeign = isError || (fields === null && this.#mediaType === 'text/html');
    return {
      ...UNMETERED,
      usage: usage && { ...usage, declined },
      isFinal: usage !== null,
      model: modelOf(answer),
      isComplete: isWhole,
      hasContent: this.#promise === 'Error' || isForeign ? answer.content != null : this.#hasBytes,
      isApiError: isWhole && this.#mediaType === 'application/json' && isError,
      errorType: errorTypeOf(answer),
    };
  }
}
