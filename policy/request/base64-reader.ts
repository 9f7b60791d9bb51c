import { LongText } from '../json/long-text.ts';

/** Reads single bytes of a base64 text: an image's size is in its first bytes, so its megabytes need no decoding. */
export class Base64Reader {
  readonly #text: Uint8Array;

  constructor(text: string | LongText) {
    this.#text = charactersOf(text);
  }

  /** The byte at an index; NaN behind the end and for characters that are not base64. */
  at(index: number): number {
    const bit = index * 8;
    const [first, second] = [Math.floor(bit / 6), Math.floor(bit / 6) + 1];
    const pair = (sextet(this.#text[first]) << 6) | sextet(this.#text[second]);
    return pair < 0 ? NaN : (pair >> (4 - (bit % 6))) & 0xff;
  }

  /** An unsigned big-endian integer of `size` bytes at an index. */
  big(index: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.at(index + i);
    return value;
  }

  /** An unsigned little-endian integer of `size` bytes at an index. */
  little(index: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.at(index + i);
    return value;
  }

  /**
   * Whether every decoder finds the same bytes before `end`. Some skip characters that are not base64, such as line
   * breaks, so that all bytes behind one are elsewhere.
   */
  isExact(end: number): boolean {
    const head = ASCII.decode(this.#text.subarray(0, Math.ceil(end / 3) * 4));
    const padding = head.length - head.replace(/={1,2}$/, '').length;
    try {
      return atob(head).length === (head.length / 4) * 3 - padding;
    } catch {
      return false;
    }
  }

  /** The bytes [start, end) as ASCII. */
  ascii(start: number, end: number): string {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(this.at(i));
    return text;
  }
}

const ASCII = new TextDecoder();

const BACKSLASH = 0x5c;
const SLASH = 0x2f;

/** The characters of a text, one byte each, up to an escape that no program writes for base64 (only `\/` is usual) and a 0. */
function charactersOf(text: string | LongText): Uint8Array {
  if (!(text instanceof LongText)) return Uint8Array.from(text, (char) => Math.min(char.charCodeAt(0), 0xff));
  if (text.isPlain) return text.bytes();
  const raw = text.bytes();
  const characters = new Uint8Array(raw.length);
  let length = 0;
  for (let i = 0; i < raw.length; i++) {
    const isOdd = raw[i] === BACKSLASH && raw[++i] !== SLASH;
    characters[length++] = isOdd ? 0 : raw[i]!;
    if (isOdd) break;
  }
  return characters.subarray(0, length);
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const SEXTETS = Int32Array.from({ length: 256 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));

/** Negative for a character that is not base64, and so in every combination with others. */
function sextet(code: number | undefined): number {
  return SEXTETS[code ?? 0]!;
}
