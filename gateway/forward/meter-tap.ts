import type { IncomingHttpHeaders } from 'node:http';
import { mediaType } from '../http/headers.ts';
import { type ContentDecoder, decoderOf } from '../upstream/content-decoder.ts';
import { AnswerMeter } from './answer-meter.ts';
import type { MadeFiles } from './made-files.ts';
import type { Meter, Metered } from './meter.ts';
import { WholeMeter } from './whole-meter.ts';

/** What an answer is: an error by its status, a stream of events, or one piece. */
export type AnswerForm = 'Error' | 'Stream' | 'Whole';

/** Meters a decoded copy of an answer, which the caller gets as it came: a compressed one must be metered too. */
export class MeterTap {
  readonly #isError: boolean;
  readonly #meter: Meter;
  readonly #decoder: ContentDecoder;
  readonly #madeFiles: MadeFiles | null;
  #hasBytes = false;

  /** `elapsed`: the monotonic clock, in milliseconds. `madeFiles`: what finds files in the answer; null: nothing does. */
  constructor(status: number, headers: IncomingHttpHeaders, elapsed: () => number, madeFiles: MadeFiles | null = null) {
    this.#isError = status >= 300;
    const meter = this.#isError ? new WholeMeter('Error', mediaType(headers)) : new AnswerMeter(headers, elapsed);
    this.#meter = meter;
    this.#madeFiles = this.#isError ? null : madeFiles;
    this.#decoder = decoderOf(headers['content-encoding'], (bytes) => {
      meter.write(bytes);
      this.#madeFiles?.write(bytes, meter.isStream);
    });
  }

  /** Before any of it has come, what its headers say. */
  get form(): AnswerForm {
    if (this.#isError) return 'Error';
    return this.#meter.isStream ? 'Stream' : 'Whole';
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
    this.#decoder.end(() => {
      this.#madeFiles?.end();
      then();
    });
  }

  /** Called once, after `close`. */
  read(isWhole: boolean): Metered {
    const isRead = !this.#hasBytes || this.#decoder.isReadable;
    const metered = this.#meter.end(isWhole && isRead);
    // Anything may be in what could not be decoded.
    return isRead ? metered : { ...metered, hasContent: true };
  }
}
