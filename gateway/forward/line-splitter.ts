const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Takes the lines of a stream. */
export interface LineTaker {
  /** How many bytes are kept of a line that begins so and is not in one chunk. */
  limitOf(firstByte: number): number;
  /** `length`: of the whole line, of which the bytes between `start` and `end` may be the beginning. */
  line(bytes: Buffer, start: number, end: number, length: number): void;
}

/** Splits a stream whose chunks cut anywhere into lines, which end with a newline, a return, or both. */
export class LineSplitter {
  readonly #taker: LineTaker;
  readonly #ends = new LineEnds();
  /** The kept parts of a line whose end has not come yet, their length, and the length of the line so far. */
  #rest: Buffer[] = [];
  #kept = 0;
  #length = 0;
  /** A return has ended a line, so a newline behind it ends none. */
  #isAfterReturn = false;

  constructor(taker: LineTaker) {
    this.#taker = taker;
  }

  write(chunk: Buffer): void {
    if (chunk.length === 0) return;
    let start = this.#isAfterReturn && chunk[0] === NEWLINE ? 1 : 0;
    this.#isAfterReturn = chunk.at(-1) === RETURN;
    const ends = this.#ends;
    ends.begin(chunk);
    for (let end = ends.from(start); end !== Infinity; end = ends.from(start)) {
      this.#endLine(chunk, start, end);
      start = end + (chunk[end] === RETURN && chunk[end + 1] === NEWLINE ? 2 : 1);
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start));
  }

  /** The stream has ended: ends the last line even without a newline. */
  end(): void {
    if (this.#length > 0) this.#restLine();
  }

  #endLine(chunk: Buffer, start: number, end: number): void {
    if (this.#length === 0) return this.#taker.line(chunk, start, end, end - start);
    this.#keep(chunk.subarray(start, end));
    this.#restLine();
  }

  #keep(part: Buffer): void {
    // Its first byte is always kept, because it says what line it is.
    const isFirst = this.#rest.length === 0 && part.length > 0;
    const limit = this.#taker.limitOf((this.#rest[0] ?? part)[0] ?? 0);
    const room = Math.max(isFirst ? 1 : 0, limit - this.#kept);
    if (room > 0) {
      this.#rest.push(Buffer.from(part.subarray(0, room)));
      this.#kept += Math.min(room, part.length);
    }
    this.#length += part.length;
  }

  #restLine(): void {
    const line = Buffer.concat(this.#rest);
    const length = this.#length;
    this.#rest = [];
    this.#kept = 0;
    this.#length = 0;
    this.#taker.line(line, 0, line.length, length);
  }
}

/** Finds the ends of lines in a chunk. A chunk that has no newline is not searched for one again at every return. */
class LineEnds {
  #chunk: Buffer = Buffer.alloc(0);
  #newline = -1;
  #return = -1;

  begin(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#newline = -1;
    this.#return = -1;
  }

  /** The first end at `start` or behind it; Infinity if there is none. */
  from(start: number): number {
    const chunk = this.#chunk;
    // Searching costs more than looking, and an upstream may send nothing but empty lines.
    if (chunk[start] === NEWLINE || chunk[start] === RETURN) return start;
    if (this.#newline < start) this.#newline = find(chunk, NEWLINE, start);
    if (this.#return < start) this.#return = find(chunk, RETURN, start);
    return Math.min(this.#newline, this.#return);
  }
}

function find(chunk: Buffer, byte: number, from: number): number {
  const at = chunk.indexOf(byte, from);
  return at === -1 ? Infinity : at;
}
