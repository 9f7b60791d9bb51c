/**
 * Splits a JSON array that is too long for memory, `{"requests": [{…}, {…}]}`, in chunks cut anywhere. The bytes between
 * the elements are checked here; an element is found by its brackets, and its reader checks it. So the whole is valid
 * JSON if and only if every element is.
 */

import { GrowingBytes } from './growing-bytes.ts';
import { quoted } from './json-access.ts';
import { BACKSLASH, isClose, isOpen, isSpace, QUOTE } from './json-bytes.ts';
import { JsonInvalid } from './json-reader.ts';

interface Options {
  /** The only field of the object, in ASCII. */
  readonly field: string;
  readonly maxBytes: number;
}

/** The parser's state outside of elements, by the token that it expects. */
type State = 'Object' | 'Field' | 'Colon' | 'List' | 'First' | 'After' | 'Next' | 'Rest' | 'End';

/** The next state by state and character. */
const STEPS: Readonly<Record<State, Readonly<Record<string, State | 'Name' | 'Element'>>>> = {
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

const MAX_NAME = 64;

/** Splits the array into its elements. The methods throw `JsonInvalid` for a body that is not `{"<field>": [{…}]}`. */
export class JsonArraySplitter {
  readonly #options: Options;
  #state: State | 'Name' | 'Element' = 'Object';
  #name = '';
  #hasField = false;
  #count = 0;
  /** An element that has not ended yet. */
  readonly #element = new GrowingBytes();
  /** Open brackets in the element. */
  #depth = 0;
  #inString = false;
  /** Backslashes at the end of the chunk, inside a string: an odd number escapes a quote. */
  #slashes = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** How much is kept of an element that has not ended. Bytes. */
  get memory(): number {
    return this.#element.length;
  }

  /** Yields each element that ends in the chunk, with its braces; an element may be a view of the chunk. */
  *split(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'Name') this.#readName(chunk[at++]!);
      else if (this.#state !== 'Element') at = this.#step(this.#state, chunk[at]!, at);
      else {
        at = this.#readElement(chunk, at);
        if (this.#depth > 0) continue;
        this.#state = 'After';
        this.#count += 1;
        yield this.#element.take();
      }
    }
  }

  /** The body has ended. */
  end(): void {
    if (this.#state !== 'End') throw this.#broken();
  }

  /** Returns the next index. The brace that opens an element belongs to the element. */
  #step(state: State, byte: number, at: number): number {
    if (isSpace(byte)) return at + 1;
    const next = STEPS[state][String.fromCharCode(byte)];
    if (next === undefined) throw this.#broken();
    this.#state = next;
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
    this.#state = 'Colon';
  }

  /** Keeps what belongs to the element; no bracket is open any more at its end. */
  #readElement(chunk: Uint8Array, start: number): number {
    let at = start;
    while (at < chunk.length) {
      if (this.#inString) {
        at = this.#endString(chunk, at);
        continue;
      }
      const byte = chunk[at++]!;
      if (byte === QUOTE) this.#inString = true;
      else if (isOpen(byte)) this.#depth += 1;
      else if (isClose(byte)) {
        this.#depth -= 1;
        if (this.#depth === 0) break;
      }
    }
    this.#keep(chunk.subarray(start, at));
    return at;
  }

  /** The index behind the string, or the chunk's end if the string goes on. */
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
    if (this.#element.length + part.length > maxBytes)
      throw new JsonInvalid(`${field}[${this.#count}] is over ${maxBytes} bytes.`);
    this.#element.add(part);
  }

  #broken(): JsonInvalid {
    return new JsonInvalid(`The body must be JSON of the form {"${this.#options.field}": […]}, a list of objects.`);
  }
}
