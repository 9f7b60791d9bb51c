/** So many chunks are joined into one. */
const MAX_CHUNKS = 256;

/**
 * Collects a body as it arrives. A caller may send it a byte at a time, and a Buffer costs hundreds of bytes beyond its
 * contents, so chunks are joined on the way: a body takes about as much memory as it is long.
 */
export class ChunkBuffer {
  readonly #joined: Buffer[] = [];
  #latest: Buffer[] = [];

  get count(): number {
    return this.#joined.length + this.#latest.length;
  }

  add(chunk: Buffer): void {
    this.#latest.push(chunk);
    if (this.#latest.length === MAX_CHUNKS) this.#join();
  }

  /** The whole body; the buffer is empty afterwards. */
  take(): Buffer {
    const all = [...this.#joined, ...this.#latest];
    this.clear();
    return all.length === 1 ? all[0]! : Buffer.concat(all);
  }

  clear(): void {
    this.#joined.length = 0;
    this.#latest = [];
  }

  #join(): void {
    this.#joined.push(Buffer.concat(this.#latest));
    this.#latest = [];
  }
}
