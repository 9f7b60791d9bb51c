/** What a page should have, and where reading it is given up. Bytes. */
const WANTED = 2 * 2 ** 20;
const MAX = 8 * 2 ** 20;
const FIRST = 20;
const MOST = 200;

/**
 * How many objects to ask for in the next page of a list. Whoever creates objects decides how large they are (a Secret has
 * up to 1 MiB), so the number follows the bytes of the pages before, and no page is read beyond `maxBytes`.
 */
export class PageSize {
  #limit = FIRST;

  get limit(): number {
    return this.#limit;
  }

  /** A page of one object is read whole: the API server bounds an object. */
  get maxBytes(): number {
    return this.#limit === 1 ? Infinity : MAX;
  }

  /** A page was read. */
  learn(objects: number, bytes: number): void {
    const fitting = Math.floor((WANTED * Math.max(objects, 1)) / Math.max(bytes, 1));
    this.#limit = Math.max(1, Math.min(fitting, this.#limit * 4, MOST));
  }

  /** A page had more than `maxBytes`. */
  shrink(): void {
    this.#limit = Math.max(1, Math.floor(this.#limit / 8));
  }
}
