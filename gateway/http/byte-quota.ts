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
    let isClosed = false;
    const share: QuotaShare = {
      belongTo: (name) => {
        this.#hold(owner, -own);
        this.#hold(name, own);
        owner = name;
      },
      grow: (bytes) => {
        if (isClosed) return false;
        const most = this.#limit * OWNER_SHARE;
        if (this.#held + bytes > this.#limit || this.#of(owner) + bytes > most) return false;
        this.#hold(owner, bytes);
        own += bytes;
        return true;
      },
      part: () => new HeldBytes(share),
      shrink: (bytes) => {
        if (isClosed) return;
        this.#hold(owner, -bytes);
        own -= bytes;
      },
      close: () => {
        this.#hold(owner, -own);
        own = 0;
        isClosed = true;
      },
    };
    return share;
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
  /** Holds so many more bytes, or returns false if they do not fit or the call is over. */
  grow(bytes: number): boolean;
  /** Gives back so many of the bytes that it holds. */
  shrink(bytes: number): void;
  /** A part of this share that changes its size. */
  part(): HeldBytes;
  close(): void;
}

/** Bytes of a share whose number changes as work goes on. */
export class HeldBytes {
  readonly #share: QuotaShare;
  #size = 0;

  constructor(share: QuotaShare) {
    this.#share = share;
  }

  get size(): number {
    return this.#size;
  }

  /** Holds so many bytes from now on, or returns false and stays as it is if they do not fit. */
  set(bytes: number): boolean {
    const more = bytes - this.#size;
    if (more > 0 && !this.#share.grow(more)) return false;
    if (more < 0) this.#share.shrink(-more);
    this.#size = bytes;
    return true;
  }
}
