/**
 * Finds the elements of a list that is too long to be held: `{"requests": [{…}, {…}]}`, in chunks cut anywhere. What
 * stands between the elements is checked here, byte by byte; an element is cut out by its brackets and is for its reader
 * to check. So the whole is valid JSON if and only if every element is.
 */

import { quoted } from './json-access.ts';
import { JsonInvalid } from './strict-json.ts';

interface Options {
  /** The one field that the object may have, in ASCII. */
  readonly field: string;
  /** An element may have so many bytes. */
  readonly maxBytes: number;
  /** Gets each element with its braces, to be read at once: the bytes may be of a chunk. What it throws ends the reading. */
  readonly onElement: (bytes: Uint8Array, index: number) => void;
}

/** What may come next outside of an element, besides space. */
type Place = 'Object' | 'Field' | 'Colon' | 'List' | 'First' | 'After' | 'Next' | 'Rest' | 'End';

/** For each place: which character leads where. */
const STEPS: Readonly<Record<Place, Readonly<Record<string, Place | 'Name' | 'Element'>>>> = {
  Object: { '{': 'Field' },
  Field: { '"': 'Name' },
  Colon: { ':': 'List' },
  List: { '[': 'First' },
  First: { '{': 'Element', ']': 'Rest' },
  After: { ',': 'Next', ']': 'Rest' },
  Next: { '{': 'Element' },
  Rest: { '}': 'End', ',': 'Field' },
  End: {},
};

const SPACE = new Set([0x20, 0x0a, 0x0d, 0x09]);
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const MAX_NAME = 64;

/** Cuts the list of an object into its elements. Its methods throw `JsonInvalid` for what is not `{"<field>": [{…}]}`. */
export class JsonArraySplitter {
  readonly #options: Options;
  #place: Place | 'Name' | 'Element' = 'Object';
  #name = '';
  #hasField = false;
  #count = 0;
  /** What there is of an element whose end has not come. */
  #parts: Uint8Array[] = [];
  #size = 0;
  /** Brackets that are open in the element. */
  #depth = 0;
  #inString = false;
  /** Backslashes at the end of what was read of a string: an odd number of them escapes a quote. */
  #slashes = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  write(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#place === 'Name') this.#readName(chunk[at++]!);
      else if (this.#place === 'Element') at = this.#readElement(chunk, at);
      else at = this.#step(this.#place, chunk[at]!, at);
    }
  }

  /** Nothing more comes. */
  end(): void {
    if (this.#place !== 'End') throw this.#broken();
  }

  /** Where to go on. The brace that opens an element is the element's. */
  #step(place: Place, byte: number, at: number): number {
    if (SPACE.has(byte)) return at + 1;
    const next = STEPS[place][String.fromCharCode(byte)];
    if (next === undefined) throw this.#broken();
    this.#place = next;
    return next === 'Element' ? at : at + 1;
  }

  #readName(byte: number): void {
    if (byte !== QUOTE && this.#name.length < MAX_NAME) {
      this.#name += String.fromCharCode(byte);
      return;
    }
    const { field } = this.#options;
    if (this.#name !== field)
      throw new JsonInvalid(`The body may have the field ${field} only, not ${quoted(this.#name)}.`);
    if (this.#hasField) throw new JsonInvalid(`The body has the key ${field} twice in one object.`);
    this.#hasField = true;
    this.#name = '';
    this.#place = 'Colon';
  }

  #readElement(chunk: Uint8Array, start: number): number {
    let at = start;
    while (at < chunk.length) {
      if (this.#inString) {
        at = this.#endString(chunk, at);
        continue;
      }
      const byte = chunk[at++];
      if (byte === QUOTE) this.#inString = true;
      else if (byte === OPEN_OBJECT || byte === OPEN_LIST) this.#depth += 1;
      else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) {
        this.#depth -= 1;
        if (this.#depth > 0) continue;
        this.#keep(chunk.subarray(start, at));
        this.#endElement();
        return at;
      }
    }
    this.#keep(chunk.subarray(start));
    return at;
  }

  /** Behind the string's end, or behind the chunk's where it goes on. */
  #endString(chunk: Uint8Array, start: number): number {
    const quote = chunk.indexOf(QUOTE, start);
    const stop = quote === -1 ? chunk.length : quote;
    let from = stop;
    while (from > start && chunk[from - 1] === BACKSLASH) from -= 1;
    const slashes = stop - from + (from === start ? this.#slashes : 0);
    this.#slashes = quote === -1 ? slashes : 0;
    this.#inString = quote === -1 || slashes % 2 === 1;
    return quote === -1 ? stop : quote + 1;
  }

  #keep(part: Uint8Array): void {
    const { field, maxBytes } = this.#options;
    this.#size += part.length;
    if (this.#size > maxBytes) throw new JsonInvalid(`${field}[${this.#count}] is over ${maxBytes} bytes.`);
    this.#parts.push(part);
  }

  #endElement(): void {
    const bytes = joined(this.#parts, this.#size);
    this.#parts = [];
    this.#size = 0;
    this.#place = 'After';
    this.#options.onElement(bytes, this.#count++);
  }

  #broken(): JsonInvalid {
    return new JsonInvalid(`The body must be JSON of the form {"${this.#options.field}": […]}, a list of objects.`);
  }
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
