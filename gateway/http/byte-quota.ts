import { type Ref, refOf } from '../../policy/core/compiled-policy.ts';

/** The share of the limit that one workspace may hold: a part is always left for the others. */
const WORKSPACE_SHARE = 3 / 4;
/** The same for all workspaces of one namespace together, since whoever writes there may make as many as it likes. */
const NAMESPACE_SHARE = 7 / 8;

/** Limits how many bytes of memory or disk the calls of a gateway may hold together. */
export class ByteQuota {
  readonly #limit: number;
  /** By workspace and by namespace. */
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
    let owners: Owners | null = null;
    let own = 0;
    let isClosed = false;
    const share: QuotaShare = {
      belongTo: (workspace) => {
        this.#hold(owners, -own);
        owners = { workspace: refOf(workspace), namespace: workspace.namespace };
        this.#hold(owners, own);
      },
      grow: (bytes) => {
        if (isClosed || !this.#hasRoom(owners, bytes)) return false;
        this.#hold(owners, bytes);
        own += bytes;
        return true;
      },
      part: () => new HeldBytes(share),
      shrink: (bytes) => {
        if (isClosed) return;
        this.#hold(owners, -bytes);
        own -= bytes;
      },
      close: () => {
        this.#hold(owners, -own);
        own = 0;
        isClosed = true;
      },
    };
    return share;
  }

  #hasRoom(owners: Owners | null, bytes: number): boolean {
    if (this.#held + bytes > this.#limit) return false;
    if (owners === null) return true;
    const { workspace, namespace } = owners;
    const most = (share: number): number => this.#limit * share - bytes;
    return this.#of(workspace) <= most(WORKSPACE_SHARE) && this.#of(namespace) <= most(NAMESPACE_SHARE);
  }

  #of(owner: string): number {
    return this.#shares.get(owner) ?? 0;
  }

  #hold(owners: Owners | null, bytes: number): void {
    this.#held += bytes;
    for (const owner of owners === null ? [] : [owners.workspace, owners.namespace]) {
      const share = this.#of(owner) + bytes;
      if (share === 0) this.#shares.delete(owner);
      else this.#shares.set(owner, share);
    }
  }
}

/** Only a workspace's name has a slash. */
interface Owners {
  readonly workspace: Ref;
  readonly namespace: string;
}

/** One call's part of a quota. */
export interface QuotaShare {
  /** Sets the workspace of the call: none, and no namespace, can hold the whole quota and so keep all others out. */
  belongTo(workspace: { readonly namespace: string; readonly name: string }): void;
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
