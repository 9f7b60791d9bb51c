import { LineSplitter, type LineTaker } from './line-splitter.ts';

/** `data` is null where it is longer than the scanner keeps; `bytes` is its length. */
export type Listener = (event: string, data: string | null, bytes: number) => void;

/** The longest data that is kept of an event, and the longest beginning of any other line. Bytes. */
const MAX_DATA = 256 * 1024;
const MAX_NAME = 256;

/** First letters of `data` and `event`, and those of lines that mean nothing: `id`, `retry` and comments. */
const DATA = 0x64;
const EVENT = 0x65;
const EMPTY = new Set<number | undefined>([0x69, 0x72, 0x3a]);

/**
 * Finds a few kinds of events in a stream whose chunks cut anywhere. Only their lines are decoded, which is cheap, and no
 * more than `MAX_DATA` of them is kept.
 */
export class EventScanner implements LineTaker {
  readonly #picked: ReadonlySet<string>;
  readonly #listener: Listener;
  readonly #lines = new LineSplitter(this);
  #event = '';
  #data: string[] = [];
  #dataBytes = 0;
  #hasData = false;
  #hasOther = false;

  constructor(picked: Iterable<string>, listener: Listener) {
    this.#picked = new Set(picked);
    this.#listener = listener;
  }

  /** There were events of other kinds (pings apart), or lines that belong to no event. */
  get hasOther(): boolean {
    return this.#hasOther;
  }

  write(chunk: Buffer): void {
    this.#lines.write(chunk);
  }

  /** The stream has ended: ends the last line even without a newline. */
  end(): void {
    this.#lines.end();
    this.#dispatch();
  }

  /** Of a line that is not data of a picked event only its beginning is kept: it may be megabytes long. */
  limitOf(firstByte: number): number {
    return firstByte === DATA && !this.#isSkipped ? MAX_DATA - this.#dataBytes : MAX_NAME;
  }

  line(bytes: Buffer, start: number, end: number, length: number): void {
    if (length === 0) this.#dispatch();
    else if (bytes[start] === DATA) this.#dataLine(bytes, start, end, length);
    else if (bytes[start] === EVENT) this.#eventLine(bytes.toString('latin1', start, Math.min(end, start + MAX_NAME)));
    else if (!EMPTY.has(bytes[start])) this.#hasOther = true;
  }

  /** An event without a name may be of any kind, so its data is read as well. */
  get #isSkipped(): boolean {
    return this.#event !== '' && !this.#picked.has(this.#event);
  }

  #eventLine(line: string): void {
    if (line.startsWith('event:')) this.#event = line.slice('event:'.length).trim();
    else this.#hasOther = true;
  }

  #dataLine(bytes: Buffer, start: number, end: number, length: number): void {
    this.#hasData = true;
    if (this.#isSkipped) return;
    this.#dataBytes += length;
    if (this.#dataBytes > MAX_DATA) {
      this.#data = [];
      return;
    }
    const line = bytes.toString('utf8', start, end);
    if (line.startsWith('data:')) this.#data.push(line.slice('data:'.length).trimStart());
    else this.#hasOther = true;
  }

  #dispatch(): void {
    if (this.#event === '' && !this.#hasData) return;
    const [event, data] = [this.#event, this.#data];
    const bytes = this.#dataBytes;
    if (this.#hasData && this.#isSkipped) this.#hasOther ||= event !== 'ping';
    // Reset first: if the listener throws, the event must not be delivered a second time.
    this.#event = '';
    this.#data = [];
    this.#dataBytes = 0;
    this.#hasData = false;
    if (bytes > MAX_DATA) this.#listener(event, null, bytes);
    else if (data.length > 0) this.#listener(event, data.join('\n'), bytes);
  }
}
