import { LineSplitter, type LineTaker } from './line-splitter.ts';

/** `data` is null where it is longer than the scanner keeps; `bytes` is its length. */
export type Listener = (event: string, data: string | null, bytes: number) => void;

/** The longest data that is kept of an event, and the longest beginning of any other line. Bytes. */
const MAX_DATA = 256 * 1024;
const MAX_NAME = 256;

const SPACE = 0x20;
const COLON = 0x3a;
const DATA = Buffer.from('data');
const EVENT = Buffer.from('event');
/** First letters of lines that mean nothing: `id`, `retry` and comments. */
const EMPTY = new Set<number | undefined>([0x69, 0x72, COLON]);

/** Finds the events of a stream whose chunks cut anywhere. No more than `MAX_DATA` of each is kept. */
export class EventScanner implements LineTaker {
  readonly #listener: Listener;
  readonly #lines = new LineSplitter(this);
  #event = '';
  /** The name of the last event that had one: mostly the next one has it too. */
  #lastEvent = '';
  /** Of several lines of data, all but the last one. */
  #before: string[] = [];
  #data: string | null = null;
  #dataBytes = 0;
  #hasOther = false;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  /** There were lines that belong to no event. */
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

  /** Of a line that is no data only its beginning is kept: it may be megabytes long. */
  limitOf(firstByte: number): number {
    return firstByte === DATA[0] ? MAX_DATA - this.#dataBytes : MAX_NAME;
  }

  line(bytes: Buffer, start: number, end: number, length: number): void {
    if (length === 0) return this.#dispatch();
    const data = valueOf(DATA, bytes, start, end);
    if (data !== -1) return this.#dataLine(bytes, data, end, length);
    const event = valueOf(EVENT, bytes, start, end);
    if (event !== -1) this.#event = this.#eventName(bytes, event, Math.min(end, start + MAX_NAME));
    else if (!EMPTY.has(bytes[start])) this.#hasOther = true;
  }

  /** Comparing costs less than decoding, and a stream is mostly events of one kind. */
  #eventName(bytes: Buffer, start: number, end: number): string {
    const last = this.#lastEvent;
    let same = end - start === last.length ? 0 : -1;
    while (same >= 0 && same < last.length) same = bytes[start + same] === last.charCodeAt(same) ? same + 1 : -1;
    if (same === -1) this.#lastEvent = bytes.toString('latin1', start, end).trim();
    return this.#lastEvent;
  }

  #dataLine(bytes: Buffer, start: number, end: number, length: number): void {
    this.#dataBytes += length;
    if (this.#data !== null) this.#before.push(this.#data);
    this.#data = '';
    if (this.#dataBytes <= MAX_DATA) this.#data = bytes.toString('utf8', start, end);
    else this.#before = [];
  }

  #dispatch(): void {
    const [event, data, before, bytes] = [this.#event, this.#data, this.#before, this.#dataBytes];
    // Reset first: if the listener throws, the event must not be delivered a second time.
    this.#event = '';
    if (data === null) return;
    this.#data = null;
    this.#dataBytes = 0;
    if (before.length > 0) this.#before = [];
    if (bytes > MAX_DATA) this.#listener(event, null, bytes);
    else this.#listener(event, before.length === 0 ? data : `${before.join('\n')}\n${data}`, bytes);
  }
}

/** Where the value of a field begins in a line, behind one space if there is one; -1 if the line is another field's. */
function valueOf(name: Buffer, bytes: Buffer, start: number, end: number): number {
  const colon = start + name.length;
  if (colon > end) return -1;
  for (let i = 0; i < name.length; i += 1) if (bytes[start + i] !== name[i]) return -1;
  // A field without a colon has an empty value.
  if (colon === end) return end;
  if (bytes[colon] !== COLON) return -1;
  return colon + 1 < end && bytes[colon + 1] === SPACE ? colon + 2 : colon + 1;
}
