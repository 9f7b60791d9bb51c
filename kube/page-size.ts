/** What a page should have. Bytes. */
const WANTED_BYTES = 2 * 2 ** 20;
/** Where reading a page is given up. Bytes. */
const MAX_BYTES = 8 * 2 ** 20;
/** Objects in the first page, and in any. */
const FIRST_LIMIT = 20;
const MAX_LIMIT = 200;

/**
 * How many objects to ask for in the next page of a list. Whoever creates objects decides how large they are (a Secret has
 * up to 1 MiB), so the number follows the bytes of the pages before, and no page is read beyond `maxBytes`.
 */
export class PageSize {
  #limit = FIRST_LIMIT;

  get limit(): number {
    return this.#limit;
  }

  /** A page of one object is read whole: the API server bounds an object. */
  get maxBytes(): number {
    return this.#limit === 1 ? Infinity : MAX_BYTES;
  }

  /** A page was read. */
  learn(objects: number, bytes: number): void {
    const fitting = Math.floor((WANTED_BYTES * Math.max(objects, 1)) / Math.max(bytes, 1));
    this.#limit = Math.max(1, Math.min(fitting, this.#limit * 4, MAX_LIMIT));
  }

  /** A page had more than `maxBytes`. */
  shrink(): void {
    this.#limit = Math.max(1, Math.floor(this.#limit / 8));
  }
}
