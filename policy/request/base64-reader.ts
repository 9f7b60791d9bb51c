/** Reads single bytes of a base64 text: an image's size is in its first bytes, so its megabytes need no decoding. */
export class Base64Reader {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The byte at an index; NaN behind the end and for characters that are not base64. */
  at(index: number): number {
    const bit = index * 8;
    const [first, second] = [Math.floor(bit / 6), Math.floor(bit / 6) + 1];
    const pair = (sextet(this.#text.charCodeAt(first)) << 6) | sextet(this.#text.charCodeAt(second));
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
    const head = this.#text.slice(0, Math.ceil(end / 3) * 4);
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

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const SEXTETS = Int32Array.from({ length: 128 }, (_, code) => ALPHABET.indexOf(String.fromCharCode(code)));

/** Negative for a character that is not base64, and so in every combination with others. */
function sextet(code: number): number {
  return SEXTETS[code] ?? -1;
}
