import { isObject, type JsonFields, quoted, RequestRejected } from './json-access.ts';
import {
  afterEscape,
  afterSequence,
  BACKSLASH,
  CLOSE_LIST,
  CLOSE_OBJECT,
  COLON as COLON_BYTE,
  COMMA,
  isOpen,
  isSpace,
  OPEN_LIST,
  PLAIN,
  QUOTE,
} from './json-bytes.ts';
import { readNumber } from './json-number.ts';
import { LongText } from './long-text.ts';
import { OpenFields, setField } from './open-fields.ts';
import { ShortStrings } from './short-strings.ts';
import { type EditedFields, ValueSpans } from './value-spans.ts';

/** The bytes are not one JSON object without a duplicated key, or are too much of one. The message is a sentence for the caller. */
export class JsonInvalid extends RequestRejected {
  constructor(message: string) {
    super('BodyInvalid', message);
  }
}

/** Deeper nesting is refused. */
export const MAX_DEPTH = 128;
/** The values and keys of a body; a prompt of a million tokens has a tenth of them. What is built of so many takes about 25 MB. */
export const MAX_ENTRIES = 250_000;
/** The keys of one object: whoever looks at its first field has all of them listed, and those that are numbers sorted. */
export const MAX_KEYS = 10_000;
/** A longer string that is a value is left where it is. Bytes. */
const MAX_COPIED = 64;

/** A longer key is refused: keys are copied. Bytes. */
const MAX_KEY = 65_536;

/** What comes next. */
const VALUE = 0;
const FIRST_VALUE = 1;
const KEY = 2;
const FIRST_KEY = 3;
const COLON = 4;
const AFTER = 5;
/** The rest of a string that is a value, or a key. */
const STRING = 6;
const KEY_STRING = 7;

/**
 * Reads JSON from bytes in steps, so that no body holds up other calls, into the values that JSON.parse would make of it;
 * strings over 64 bytes become `LongText`. It is stricter than JSON.parse: no object may have a key twice (parsers differ
 * in which one counts, and what is priced must be what is sent), and depth and number of values have bounds.
 */
export class JsonReader {
  readonly spans: ValueSpans;
  readonly #bytes: Uint8Array;
  readonly #strings: ShortStrings;
  #at = 0;
  #next = VALUE;
  #entries = 0;
  #copied = 0;
  /** Where the string begins, behind its quote, and whether it is ASCII without escapes so far. */
  #start = 0;
  #isPlain = true;
  /** The object that is open, null in a list; how many keys it has so far; and the key whose value comes. */
  #fields: OpenFields | null = null;
  #keys = 0;
  #key = '';
  /** By depth: what was open around. */
  readonly #outer: {
    readonly fields: OpenFields | null;
    readonly keys: number;
    readonly key: string;
    readonly count: number;
    readonly start: number;
  }[] = [];
  /** The elements so far of all open lists. */
  readonly #elements: unknown[] = [];
  /** The name of the top-level field that is being read. */
  #top = '';
  #value: unknown = undefined;

  constructor(bytes: Uint8Array, edited: EditedFields) {
    this.#bytes = bytes;
    this.#strings = new ShortStrings(bytes);
    this.spans = new ValueSpans(edited);
  }

  /** What the values need so far beside the body, at most. Bytes. */
  get memory(): number {
    return this.#entries * ENTRY_MEMORY + this.#copied;
  }

  /** The object, once it is read. Throws `JsonInvalid` for another value. */
  get fields(): JsonFields {
    if (isObject(this.#value)) return this.#value;
    throw new JsonInvalid('The body must be a JSON object.');
  }

  /** Reads about so many bytes more; true once all are read. Throws `JsonInvalid`. */
  step(maxBytes: number): boolean {
    const bytes = this.#bytes;
    const until = Math.min(bytes.length, this.#at + maxBytes);
    let at = this.#at;
    while (at < until) {
      if (this.#next >= STRING) at = this.#readString(at, until);
      else {
        while (at < until && isSpace(bytes[at]!)) at += 1;
        if (at < until) at = this.#read(bytes[at]!, at);
      }
    }
    this.#at = at;
    if (at < bytes.length) return false;
    if (this.#next !== AFTER || this.#outer.length > 0) throw this.#broken(at);
    return true;
  }

  /** Reads what begins with a byte outside of strings, and returns the index behind it. */
  #read(byte: number, at: number): number {
    switch (this.#next) {
      case AFTER:
        return this.#readAfter(byte, at);
      case COLON:
        if (byte !== COLON_BYTE) throw this.#broken(at);
        this.#next = VALUE;
        return at + 1;
      case VALUE:
        return this.#readValue(byte, at);
      case FIRST_VALUE:
        return byte === CLOSE_LIST ? this.#close(at) : this.#readValue(byte, at);
      default:
        if (byte === QUOTE) return this.#openString(at, KEY_STRING);
        if (byte === CLOSE_OBJECT && this.#next === FIRST_KEY) return this.#close(at);
        throw this.#broken(at);
    }
  }

  #readValue(byte: number, at: number): number {
    if (byte === QUOTE) return this.#openString(at, STRING);
    if (isOpen(byte)) return this.#open(byte, at);
    this.#count();
    const literal = LITERALS.get(byte);
    if (literal === undefined) {
      const number = readNumber(this.#bytes, at);
      if (number === null) throw this.#broken(at);
      if (number === 'long')
        throw new JsonInvalid('The body has a number of over 1,000 characters. Send it as a string.');
      this.#put(number.value, at, number.end);
      return number.end;
    }
    const { text, value } = literal;
    for (let i = 1; i < text.length; i++) if (this.#bytes[at + i] !== text.charCodeAt(i)) throw this.#broken(at + i);
    this.#put(value, at, at + text.length);
    return at + text.length;
  }

  #readAfter(byte: number, at: number): number {
    if (this.#outer.length > 0) {
      if (byte === COMMA) {
        this.#next = this.#fields === null ? VALUE : KEY;
        return at + 1;
      }
      if (byte === (this.#fields === null ? CLOSE_LIST : CLOSE_OBJECT)) return this.#close(at);
    }
    throw this.#broken(at);
  }

  #openString(at: number, next: number): number {
    this.#count();
    this.#next = next;
    this.#start = at + 1;
    this.#isPlain = true;
    return at + 1;
  }

  /** Reads a string on, from inside it. */
  #readString(from: number, until: number): number {
    const bytes = this.#bytes;
    let at = from;
    for (;;) {
      while (
        at + 3 < until &&
        (PLAIN[bytes[at]!]! & PLAIN[bytes[at + 1]!]! & PLAIN[bytes[at + 2]!]! & PLAIN[bytes[at + 3]!]!) === 1
      )
        at += 4;
      while (at < until && PLAIN[bytes[at]!] === 1) at += 1;
      if (at >= until) return at;
      const byte = bytes[at]!;
      if (byte === QUOTE) break;
      this.#isPlain = false;
      const behind = byte === BACKSLASH ? afterEscape(bytes, at) : afterSequence(bytes, at);
      if (behind === -1) throw this.#broken(at);
      at = behind;
    }
    if (this.#next === KEY_STRING) this.#endKey(at);
    else this.#endString(at);
    return at + 1;
  }

  #endKey(end: number): void {
    if (end - this.#start > MAX_KEY) throw new JsonInvalid(`The body has a key of over ${MAX_KEY} bytes. Shorten it.`);
    const key = this.#strings.at(this.#start, end, this.#isPlain);
    const fields = this.#fields!;
    if (fields[key] !== undefined) throw new JsonInvalid(`The body has the key ${quoted(key)} twice in one object.`);
    this.#keys += 1;
    if (this.#keys > MAX_KEYS)
      throw new JsonInvalid('The body has an object with more than 10,000 keys. Send the data as a list or as text.');
    this.#copied += key.length;
    this.#key = key;
    if (this.#outer.length === 1) this.#top = key;
    this.#next = COLON;
  }

  #endString(end: number): void {
    const start = this.#start;
    const isCopied = end - start <= MAX_COPIED;
    if (isCopied) this.#copied += end - start;
    const value = isCopied
      ? this.#strings.at(start, end, this.#isPlain)
      : new LongText(this.#bytes, start, end, this.#isPlain);
    this.#put(value, start - 1, end + 1);
  }

  #open(byte: number, at: number): number {
    this.#count();
    const outer = this.#outer;
    if (outer.length === MAX_DEPTH) throw new JsonInvalid(`The body is nested deeper than ${MAX_DEPTH} levels.`);
    const isList = byte === OPEN_LIST;
    if (outer.length === 2 && !isList && this.#fields === null) this.spans.openObject(this.#top, at + 1);
    outer.push({
      fields: this.#fields,
      keys: this.#keys,
      key: this.#key,
      count: this.#elements.length,
      start: at,
    });
    this.#fields = isList ? null : new OpenFields();
    this.#keys = 0;
    this.#next = isList ? FIRST_VALUE : FIRST_KEY;
    return at + 1;
  }

  #close(at: number): number {
    const { fields, keys, key, count, start } = this.#outer.pop()!;
    const value = this.#fields ?? this.#elements.splice(count);
    this.#fields = fields;
    this.#keys = keys;
    this.#key = key;
    this.#put(value, start, at + 1);
    return at + 1;
  }

  /** Puts a complete value where it belongs. */
  #put(value: unknown, start: number, end: number): void {
    const depth = this.#outer.length;
    this.#next = AFTER;
    if (this.#fields === null) {
      if (depth === 0) this.#value = value;
      else this.#elements.push(value);
      return;
    }
    setField(this.#fields, this.#key, value);
    if (depth === 1) this.spans.addTop(this.#key, start, end);
    else if (depth === 3 && this.#outer[2]!.fields === null) this.spans.addField(this.#top, this.#key, start, end);
  }

  #count(): void {
    this.#entries += 1;
    if (this.#entries > MAX_ENTRIES) {
      throw new JsonInvalid(
        'The body has more than 250,000 values and keys. Send the data as text, or divide it among several requests.',
      );
    }
  }

  /** What is wrong with the byte at an index, which does not belong there. */
  #broken(at: number): JsonInvalid {
    const byte = this.#bytes[at] ?? 0;
    const isUtf8 = byte < 0x80 || afterSequence(this.#bytes, at) !== -1;
    return new JsonInvalid(isUtf8 ? 'The body is not valid JSON.' : 'The body is not valid UTF-8.');
  }
}

/** What a value or key needs at most beside its characters, measured. Bytes. */
const ENTRY_MEMORY = 100;

const LITERALS: ReadonlyMap<number, { readonly text: string; readonly value: unknown }> = new Map(
  [true, false, null].map((value) => [String(value).charCodeAt(0), { text: String(value), value }]),
);
