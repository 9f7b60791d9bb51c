import type { Page } from '../upstream/read-answer.ts';
import { rewriteUrls } from './batch-response.ts';

/** The page that a caller asked for. */
export interface ListQuery {
  readonly limit: number;
  /** From the cursor towards newer batches. */
  readonly isBackwards: boolean;
  /** The batch to continue from, null to begin with the newest. */
  readonly cursor: string | null;
}

/** The longest page of the upstream. */
export const MAX_LIMIT = 1_000;

/** The page that a workspace gets: its own batches, from as many pages of the upstream as that takes. */
export class BatchListing {
  readonly #asked: ListQuery;
  #own: readonly { readonly id: string }[] = [];
  #cursor: string | null;
  #hasMore = true;

  constructor(asked: ListQuery) {
    this.#asked = asked;
    this.#cursor = asked.cursor;
  }

  /** The query for the upstream's next page, with its question mark. */
  get query(): string {
    const query = new URLSearchParams({ limit: String(MAX_LIMIT) });
    if (this.#cursor !== null) query.set(this.#asked.isBackwards ? 'before_id' : 'after_id', this.#cursor);
    return `?${query.toString()}`;
  }

  /** False if another page of the upstream is needed. */
  get isWhole(): boolean {
    return !this.#hasMore || this.#cursor === null || this.#own.length >= this.#asked.limit;
  }

  /** `owns`: which of the page's batches are the workspace's. */
  add(page: Page, owns: readonly boolean[]): void {
    const found = page.data.filter((_, index) => owns[index]).map(rewriteUrls);
    const { isBackwards } = this.#asked;
    this.#own = isBackwards ? [...found, ...this.#own] : [...this.#own, ...found];
    const cursor = isBackwards ? page.first_id : page.last_id;
    // An upstream that repeats the same page must not be asked for ever.
    this.#hasMore = page.has_more && cursor !== this.#cursor;
    this.#cursor = cursor;
  }

  get text(): string {
    const { isBackwards, limit } = this.#asked;
    const data = isBackwards ? this.#own.slice(-limit) : this.#own.slice(0, limit);
    return JSON.stringify({
      data,
      has_more: this.#hasMore || data.length < this.#own.length,
      first_id: data[0]?.id ?? null,
      last_id: data.at(-1)?.id ?? null,
    });
  }
}
