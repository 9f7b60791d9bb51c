/** How many bytes all calls of a gateway together may hold, of memory or of disk. */
export class Allowance {
  readonly #limit: number;
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are held now. */
  get held(): number {
    return this.#held;
  }

  /** What one call holds; nothing at first. */
  open(): Share {
    let own = 0;
    return {
      grow: (bytes) => {
        if (this.#held + bytes > this.#limit) return false;
        this.#held += bytes;
        own += bytes;
        return true;
      },
      close: () => {
        this.#held -= own;
        own = 0;
      },
    };
  }
}

/** One call's part of an allowance. */
export interface Share {
  /** Holds so many bytes more; false where they do not fit, and then nothing more is held. */
  grow(bytes: number): boolean;
  /** Holds nothing any more. */
  close(): void;
}
