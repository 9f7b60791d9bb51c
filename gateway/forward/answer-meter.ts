import type { IncomingHttpHeaders } from 'node:http';
import { isSpace, OPEN_OBJECT } from '../../policy/json/json-bytes.ts';
import { mediaType } from '../http/headers.ts';
import type { Meter, Metered } from './meter.ts';
import { StreamMeter } from './stream-meter.ts';
import { WholeMeter } from './whole-meter.ts';

/** What may stand before an answer, and means nothing. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
/** The first letters of the lines of a stream: `data`, `event`, `id`, `retry` and comments. */
const STREAM_STARTS = new Set(Buffer.from('deir:'));

/**
 * Meters an answer whose status promises one, by what it is and not only by what its content type says: some send a
 * message as a stream, and some a stream as JSON.
 */
export class AnswerMeter implements Meter {
  readonly #mediaType: string;
  readonly #elapsed: () => number;
  #meter: Meter | null = null;
  #marks = 0;

  /** `elapsed`: the monotonic clock. Milliseconds. */
  constructor(headers: IncomingHttpHeaders, elapsed: () => number) {
    this.#mediaType = mediaType(headers);
    this.#elapsed = elapsed;
  }

  get isStream(): boolean {
    return this.#meter?.isStream ?? this.#saysStream;
  }

  get #saysStream(): boolean {
    return this.#mediaType === 'text/event-stream';
  }

  get hasBegun(): boolean {
    return this.#meter?.hasBegun ?? false;
  }

  write(bytes: Buffer): void {
    if (this.#meter !== null) this.#meter.write(bytes);
    else this.#begin(bytes);
  }

  end(isWhole: boolean): Metered {
    return (this.#meter ?? this.#meterOf(this.#saysStream)).end(isWhole);
  }

  #begin(bytes: Buffer): void {
    let at = 0;
    for (; at < bytes.length; at += 1) {
      if (bytes[at] === BYTE_ORDER_MARK[this.#marks]) this.#marks += 1;
      else if (!isSpace(bytes[at]!)) break;
    }
    if (at === bytes.length) return;
    const first = bytes[at]!;
    this.#meter = this.#meterOf(this.#saysStream ? first !== OPEN_OBJECT : STREAM_STARTS.has(first));
    this.#meter.write(at === 0 ? bytes : bytes.subarray(at));
  }

  #meterOf(isStream: boolean): Meter {
    return isStream ? new StreamMeter(this.#elapsed) : new WholeMeter('Answer', this.#mediaType);
  }
}
