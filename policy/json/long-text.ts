/**
 * A string of a body that is not copied out of it: megabytes of text or base64 need no memory beside the body. It has no
 * enumerable property, so that what walks through all values finds nothing in it.
 */
export class LongText {
  readonly #body: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  readonly #isPlain: boolean;

  /** The bytes [start, end) of the body, between the quotes. `isPlain`: they are ASCII without escapes. */
  constructor(body: Uint8Array, start: number, end: number, isPlain: boolean) {
    this.#body = body;
    this.#start = start;
    this.#end = end;
    this.#isPlain = isPlain;
  }

  /** In bytes, as the body has them: never less than the text has characters. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** As the body has them: with escapes, where it is not plain. */
  bytes(): Uint8Array {
    return this.#body.subarray(this.#start, this.#end);
  }

  /** Whether each byte is a character of the text. */
  get isPlain(): boolean {
    return this.#isPlain;
  }

  /** At least its first 80 characters. */
  beginning(): string {
    const raw = UTF8.decode(this.bytes().subarray(0, 512));
    return decodeString(new TextEncoder().encode(WHOLE_CHARACTERS.exec(raw)![0]), this.#isPlain);
  }

  /** The text itself, which is a copy: for texts of bounded length. */
  toString(): string {
    return decodeString(this.bytes(), this.#isPlain);
  }
}

/** All but an escape that is cut in two. */
const WHOLE_CHARACTERS = /^(?:[^\\]|\\u[0-9a-fA-F]{4}|\\[^u])*/;

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** The string that stands between quotes in valid JSON. */
export function decodeString(bytes: Uint8Array, isPlain: boolean): string {
  const text = UTF8.decode(bytes);
  return isPlain || !text.includes('\\') ? text : String(JSON.parse(`"${text}"`));
}
