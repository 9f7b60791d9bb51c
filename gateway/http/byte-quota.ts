/** The share of the limit that one owner may hold: a part is always left for the others. */
const OWNER_SHARE = 0.75;

/** Limits how many bytes of memory or disk the calls of a gateway may hold together. */
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

  /** The share of one call, empty at first. */
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
        const most = this.#limit * OWNER_SHARE;
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

/** One call's part of a quota. */
export interface QuotaShare {
  /** Sets the workspace of the call: none can hold the whole quota and so keep all others out. */
  belongTo(owner: string): void;
  /** Holds so many more bytes, or returns false if they do not fit. */
  grow(bytes: number): boolean;
  close(): void;
}
