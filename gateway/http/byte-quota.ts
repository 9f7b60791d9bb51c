/** Of all that there is, what one owner may hold: a part is always left for the others. */
const MOST_OF_ONE = 0.75;

/** How many bytes all calls of a gateway together may hold, of memory or of disk. */
export class ByteQuota {
  readonly #limit: number;
  /** By owner. */
  readonly #shares = new Map<string, number>();
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are held now. */
  get held(): number {
    return this.#held;
  }

  /** What one call holds; nothing at first. */
  open(): QuotaShare {
    let owner = '';
    let own = 0;
    return {
      belongTo: (name) => {
        this.#hold(owner, -own);
        this.#hold(name, own);
        owner = name;
      },
      grow: (bytes) => {
        const most = this.#limit * MOST_OF_ONE;
        if (this.#held + bytes > this.#limit || this.#of(owner) + bytes > most) return false;
        this.#hold(owner, bytes);
        own += bytes;
        return true;
      },
      close: () => {
        this.#hold(owner, -own);
        own = 0;
      },
    };
  }

  #of(owner: string): number {
    return this.#shares.get(owner) ?? 0;
  }

  #hold(owner: string, bytes: number): void {
    this.#held += bytes;
    const share = this.#of(owner) + bytes;
    if (share === 0) this.#shares.delete(owner);
    else this.#shares.set(owner, share);
  }
}

/** One call's part of an allowance. */
export interface QuotaShare {
  /** Says whose call it is: no workspace can hold everything, and so keep all others out. */
  belongTo(owner: string): void;
  /** Holds so many bytes more; false where they do not fit, and then nothing more is held. */
  grow(bytes: number): boolean;
  /** Holds nothing any more. */
  close(): void;
}
