/** From so many on, small pieces become one. */
const MANY = 256;

/**
 * A body as it arrives. A caller may send it a byte at a time, and each piece costs hundreds of bytes besides what it
 * holds: so that a body takes about as much memory as it is long, they are joined as they come.
 */
export class ChunkBuffer {
  readonly #joined: Buffer[] = [];
  #latest: Buffer[] = [];

  /** How many there are in memory. */
  get count(): number {
    return this.#joined.length + this.#latest.length;
  }

  add(piece: Buffer): void {
    this.#latest.push(piece);
    if (this.#latest.length === MANY) this.#join();
  }

  /** All of it, in one; then nothing is held any more. */
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
