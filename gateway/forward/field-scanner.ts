import {
  BACKSLASH,
  CLOSE_LIST,
  CLOSE_OBJECT,
  COLON,
  COMMA,
  isClose,
  isOpen,
  isSpace,
  OPEN_LIST,
  OPEN_OBJECT,
  QUOTE,
} from '../../policy/json/json-bytes.ts';

/**
 * Picks a few fields of the outermost object out of JSON text as it comes, in any chunks. An answer may be as large as its
 * upstream likes: it is neither kept nor parsed, and only the picked values take memory, each up to its limit.
 */
export class FieldScanner {
  readonly #limits: Readonly<Record<string, number>>;
  readonly #values = new Map<string, unknown>();
  #depth = 0;
  #isString = false;
  #isEscaped = false;
  /** At depth 1: what the next string or value is. */
  #expects: 'Key' | 'Colon' | 'Value' = 'Key';
  /** The key whose value is read; null for one that is not picked. */
  #key: string | null = null;
  #capture: Capture | null = null;
  #hasEnded = false;
  #isMalformed = false;

  /** `limits`: the longest value of each picked field, in bytes. */
  constructor(limits: Readonly<Record<string, number>>) {
    this.#limits = limits;
  }

  write(bytes: Buffer): void {
    let start = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#isString) {
        at = this.#skipString(bytes, at);
        if (!this.#isString && this.#depth === 1) this.#endString(bytes, start, at);
      } else if (this.#depth > 1) {
        at = this.#skipNested(bytes, at);
      } else {
        const byte = bytes[at]!;
        if (!isSpace(byte) && this.#takes(bytes, start, at, byte)) start = byte === QUOTE ? at : at + 1;
        at += 1;
      }
    }
    this.#capture?.add(bytes.subarray(start));
  }

  /** Returns the place behind the string's end, or the end of the chunk. */
  #skipString(bytes: Buffer, from: number): number {
    let at = this.#isEscaped ? from + 1 : from;
    this.#isEscaped = false;
    for (; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.#isString = false;
        return at + 1;
      }
      if (byte === BACKSLASH) at += 1;
    }
    this.#isEscaped = at > bytes.length;
    return bytes.length;
  }

  /** Returns the place behind the end of a nested value, behind a quote in it, or the end of the chunk. */
  #skipNested(bytes: Buffer, from: number): number {
    for (let at = from; at < bytes.length; at += 1) {
      const byte = bytes[at]!;
      if (byte === QUOTE) this.#isString = true;
      else if (isOpen(byte)) this.#depth += 1;
      else if (isClose(byte)) this.#depth -= 1;
      if (this.#isString || this.#depth === 1) return at + 1;
    }
    return bytes.length;
  }

  /**
   * The picked fields that there are; null unless the text is one object, as far as its brackets say. A value is a symbol
   * where it is not JSON, is too long, or comes twice.
   */
  end(): Readonly<Record<string, unknown>> | null {
    return this.#hasEnded && !this.#isMalformed ? Object.fromEntries(this.#values) : null;
  }

  /** Takes a byte outside of strings and nested values. True if a capture begins behind it, or with it if it is a quote. */
  #takes(bytes: Buffer, start: number, at: number, byte: number): boolean {
    if (this.#depth === 0) return this.#open(byte);
    switch (byte) {
      case QUOTE:
        this.#isString = true;
        return this.#expects === 'Key' && this.#begin(MAX_KEY);
      case OPEN_OBJECT:
      case OPEN_LIST:
        this.#depth += 1;
        return false;
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        this.#endValue(bytes, start, at);
        this.#depth = 0;
        this.#hasEnded = true;
        return false;
      case COMMA:
        this.#endValue(bytes, start, at);
        return false;
      case COLON:
        if (this.#expects !== 'Colon') return false;
        this.#expects = 'Value';
        return this.#key !== null && this.#begin(this.#limits[this.#key]!);
    }
    return false;
  }

  /** Takes a byte outside of the object. */
  #open(byte: number): false {
    if (this.#hasEnded || byte !== OPEN_OBJECT) this.#isMalformed = true;
    else this.#depth = 1;
    return false;
  }

  #begin(limit: number): true {
    this.#capture = new Capture(limit);
    return true;
  }

  #endString(bytes: Buffer, start: number, end: number): void {
    if (this.#expects !== 'Key') return;
    const key = this.#endCapture(bytes, start, end);
    this.#key = typeof key === 'string' && Object.hasOwn(this.#limits, key) ? key : null;
    this.#expects = 'Colon';
  }

  #endValue(bytes: Buffer, start: number, end: number): void {
    if (this.#key !== null && this.#expects === 'Value') {
      const value = this.#endCapture(bytes, start, end);
      // Whichever of two the upstream means, the other one may be what it charges.
      this.#values.set(this.#key, this.#values.has(this.#key) ? UNREADABLE : value);
    }
    this.#key = null;
    this.#capture = null;
    this.#expects = 'Key';
  }

  #endCapture(bytes: Buffer, start: number, end: number): unknown {
    const capture = this.#capture;
    this.#capture = null;
    return capture?.end(bytes, start, end) ?? null;
  }
}

/** The bytes of one value, up to a limit. */
class Capture {
  readonly #limit: number;
  readonly #parts: Buffer[] = [];
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Copies, since the chunk belongs to the connection. */
  add(part: Buffer): void {
    this.#length += part.length;
    if (this.#length <= this.#limit) this.#parts.push(Buffer.from(part));
    else this.#parts.length = 0;
  }

  /** The value, whose last bytes these are. Mostly they are all of it, and are not copied. */
  end(bytes: Buffer, start: number, end: number): unknown {
    const isWhole = this.#length === 0;
    if (this.#length + end - start > this.#limit) return UNREADABLE;
    if (!isWhole) this.add(bytes.subarray(start, end));
    const text = isWhole ? bytes.toString('utf8', start, end) : Buffer.concat(this.#parts).toString();
    if (PLAIN_STRING.test(text)) return text.slice(1, -1);
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return UNREADABLE;
    }
  }
}

const UNREADABLE = Symbol('unreadable');
/** What most keys are, and many values: a string that is itself, without the time of a parser. */
const PLAIN_STRING = /^"[\w.:-]*"$/;
/** The longest key that can be one of the picked, with every letter escaped. Bytes. */
const MAX_KEY = 256;
