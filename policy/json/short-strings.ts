import { decodeString } from './long-text.ts';

/** How many strings are kept; a power of two. */
const KEPT = 256;
const NONE_KEPT = Array.from<string>({ length: KEPT }).fill('');
/** Longer ones are rarely there twice. */
const MAX_KEPT_LENGTH = 32;
/** Up to this length, adding up characters is faster than a decoder. */
const FEW = 12;

/** Decodes the short strings of one body. The same few keys and types make up most of them, so each is made once. */
export class ShortStrings {
  readonly #kept: string[] = NONE_KEPT.slice();
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The string whose bytes are [start, end), between its quotes. */
  at(start: number, end: number, isPlain: boolean): string {
    const length = end - start;
    if (!isPlain || length > MAX_KEPT_LENGTH) return decodeString(this.#bytes.subarray(start, end), isPlain);
    const bytes = this.#bytes;
    const slot =
      (length * 31 + bytes[start]! * 7 + bytes[start + (length >> 1)]! * 13 + bytes[end - 1]! * 3) & (KEPT - 1);
    const kept = this.#kept[slot]!;
    if (isAt(kept, bytes, start, length)) return kept;
    return (this.#kept[slot] =
      length > FEW ? decodeString(bytes.subarray(start, end), true) : ascii(bytes, start, end));
  }
}

function isAt(text: string, bytes: Uint8Array, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false;
  return true;
}

function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}
