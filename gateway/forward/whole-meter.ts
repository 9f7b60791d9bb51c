import { readUsage } from '../../policy/prices/usage.ts';
import { MODEL_REFUSED, modelOf, parseAnswer } from './answer-fields.ts';
import { type Meter, type Metered, UNMETERED } from './meter.ts';

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
