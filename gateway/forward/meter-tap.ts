import type { IncomingHttpHeaders } from 'node:http';
import { type ContentDecoder, decoderOf } from '../http/content-decoder.ts';
import { isJSON, mediaType } from '../http/headers.ts';
import type { Meter, Metered } from './meter.ts';
import { StreamMeter } from './stream-meter.ts';
import { WholeMeter } from './whole-meter.ts';

/** An error and a stream are passed on as they come; a whole answer is collected, because its headers say its cost. */
export type AnswerForm = 'Error' | 'Stream' | 'Whole';

/** The form of an answer with this status and these headers. */
export function answerForm(status: number, headers: IncomingHttpHeaders): AnswerForm {
  if (status >= 300) return 'Error';
  return mediaType(headers) === 'text/event-stream' ? 'Stream' : 'Whole';
}

/** Meters a decoded copy of an answer, which the caller gets as it came: a compressed one must be metered too. */
export class MeterTap {
  readonly #meter: Meter;
  readonly #decoder: ContentDecoder;
  #hasBytes = false;

  /** `elapsed`: the monotonic clock. Milliseconds. */
  constructor(form: AnswerForm, headers: IncomingHttpHeaders, elapsed: () => number) {
    const meter = form === 'Stream' ? new StreamMeter(elapsed) : new WholeMeter(form === 'Error', isJSON(headers));
    this.#meter = meter;
    this.#decoder = decoderOf(headers['content-encoding'], (bytes) => meter.write(bytes));
  }

  get hasBegun(): boolean {
    return this.#meter.hasBegun;
  }

  write(chunk: Buffer): void {
    this.#hasBytes = true;
    this.#decoder.write(chunk);
  }

  /** Calls `then` once all bytes that can be decoded were metered: the last ones may still be in the decompressor. */
  close(then: () => void): void {
    this.#decoder.end(then);
  }

  /** Called once, after `close`. */
  read(isWhole: boolean): Metered {
    const isRead = !this.#hasBytes || this.#decoder.isReadable;
    const metered = this.#meter.end(isWhole && isRead);
    // Anything may be in what could not be decoded.
    return isRead ? metered : { ...metered, hasContent: true };
  }
}
