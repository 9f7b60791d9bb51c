const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** What is done with each picked event. */
export type Listener = (event: string, data: string) => void;

/**
 * Finds a few kinds of events in a stream of server-sent events without touching the rest: bytes go on to the client as
 * they came, and only the lines of picked events are ever decoded. Lines and events may be cut anywhere by chunks.
 */
export class EventScanner {
  readonly #picked: ReadonlySet<string>;
  readonly #listener: Listener;
  /** The parts of a line whose end has not come yet, as far as it is of interest. */
  #rest: Buffer[] = [];
  #event = '';
  #data: string[] = [];

  constructor(picked: Iterable<string>, listener: Listener) {
    this.#picked = new Set(picked);
    this.#listener = listener;
  }

  write(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start);
      if (end === -1) break;
      this.#endLine(chunk, start, end);
      start = end + 1;
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** The stream is over: what was not ended by a newline is ended now. */
  end(): void {
    if (this.#rest.length > 0) this.#restLine();
    this.#dispatch();
  }

  /** A line of data that nobody asked for may be megabytes long: only its beginning is kept. */
  #keep(part: Buffer): void {
    const [beginning] = this.#rest;
    if (beginning === undefined || !this.#isUninteresting(beginning)) this.#rest.push(Buffer.from(part));
  }

  #isUninteresting(beginning: Buffer): boolean {
    return this.#event !== '' && !this.#picked.has(this.#event) && beginning[0] === 0x64;
  }

  #endLine(chunk: Buffer, start: number, end: number): void {
    if (this.#rest.length === 0) return this.#line(chunk, start, end);
    this.#keep(chunk.subarray(start, end));
    this.#restLine();
  }

  #restLine(): void {
    const line = Buffer.concat(this.#rest);
    this.#rest = [];
    this.#line(line, 0, line.length);
  }

  #line(bytes: Buffer, start: number, newline: number): void {
    const end = newline > start && bytes[newline - 1] === RETURN ? newline - 1 : newline;
    if (end === start) this.#dispatch();
    else if (bytes[start] === 0x65) this.#eventLine(bytes.toString('latin1', start, end));
    else if (bytes[start] === 0x64) this.#dataLine(bytes, start, end);
  }

  #eventLine(line: string): void {
    if (line.startsWith('event:')) this.#event = line.slice('event:'.length).trim();
  }

  #dataLine(bytes: Buffer, start: number, end: number): void {
    // An event without a name may be any of them, so its data is read as well.
    if (this.#event !== '' && !this.#picked.has(this.#event)) return;
    const line = bytes.toString('utf8', start, end);
    if (line.startsWith('data:')) this.#data.push(line.slice('data:'.length).trimStart());
  }

  #dispatch(): void {
    const [event, data] = [this.#event, this.#data];
    // First: an event that its listener fails at must not come again.
    this.#event = '';
    this.#data = [];
    if (data.length > 0) this.#listener(event, data.join('\n'));
  }
}
