/**
 * Bytes that stand in a text as base64, read one by one where they are needed: a picture's size is in its first bytes,
 * and nobody decodes megabytes for it.
 */
export class Base64Reader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The byte at an index; NaN behind the end and where there is no base64. */
  at(index: number): number {
    const bit = index * 8;
    const [first, second] = [Math.floor(bit / 6), Math.floor(bit / 6) + 1];
    const pair = (sextet(this.#text.charCodeAt(first)) << 6) | sextet(this.#text.charCodeAt(second));
    return pair < 0 ? NaN : (pair >> (4 - (bit % 6))) & 0xff;
  }

  /** An unsigned number of `size` bytes from an index on, the most significant first. */
  big(index: number, size: number): number {
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + this.at(index + i);
    return value;
  }

  /** The same, the least significant first. */
  little(index: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + this.at(index + i);
    return value;
  }

  /** The bytes [start, end) as ASCII. */
  ascii(start: number, end: number): string {
    let text = '';
    for (let i = start; i < end; i++) text += String.fromCharCode(this.at(i));
    return text;
  }
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const SEXTETS = Int32Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));

/** Negative for what is no base64, in whatever it is combined. */
function sextet(code: number): number {
  return SEXTETS[code] ?? -1;
}
