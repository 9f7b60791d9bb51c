const NEWLINE = 0x0a;
const RETURN = 0x0d;

export type Listener = (event: string, data: string) => void;

/** Finds a few kinds of events in a stream whose chunks cut anywhere. Only their lines are decoded, which is cheap. */
export class EventScanner {
  readonly #picked: ReadonlySet<string>;
  readonly #listener: Listener;
  /** The parts of a line whose end has not come yet. */
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

  /** The stream has ended: ends the last line even without a newline. */
  end(): void {
    if (this.#rest.length > 0) this.#restLine();
    this.#dispatch();
  }

  /** A data line of another event may be megabytes long, so only its beginning is kept. */
  #keep(part: Buffer): void {
    const [beginning] = this.#rest;
    if (beginning === undefined || !this.#isSkipped(beginning)) this.#rest.push(Buffer.from(part));
  }

  #isSkipped(beginning: Buffer): boolean {
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
    // An event without a name may be of any kind, so its data is read as well.
    if (this.#event !== '' && !this.#picked.has(this.#event)) return;
    const line = bytes.toString('utf8', start, end);
    if (line.startsWith('data:')) this.#data.push(line.slice('data:'.length).trimStart());
  }

  #dispatch(): void {
    const [event, data] = [this.#event, this.#data];
    // Reset first: if the listener throws, the event must not be delivered a second time.
    this.#event = '';
    this.#data = [];
    if (data.length > 0) this.#listener(event, data.join('\n'));
  }
}
