const FIRST_CAPACITY = 64 * 1024;
/** The bytes are moved when they have grown eightfold: of 32 MB no more than 4 MB. */
const GROWTH = 8;

/**
 * Collects a body that arrives in chunks in one piece of memory: a chunk, of which there may be one for each byte, costs
 * hundreds of bytes, and joining all at the end would take twice the memory.
 */
export class GrowingBytes {
  readonly #expected: number;
  /** A first chunk, which may be all; it becomes part of `#bytes` with the next one. */
  #only: Uint8Array | null = null;
  #bytes = new Uint8Array(0);
  #length = 0;

  /** `expected`: the length, if it is known; no more than that is asked of the system for bytes that may never come. */
  constructor(expected = 0) {
    this.#expected = expected;
  }

  get length(): number {
    return this.#length;
  }

  /** Takes a chunk, which must not change until `take`. */
  add(chunk: Uint8Array): void {
    if (this.#length === 0) {
      this.#only = chunk;
    } else {
      if (this.#only !== null) this.#append(this.#only, 0);
      this.#only = null;
      this.#append(chunk, this.#length);
    }
    this.#length += chunk.length;
  }

  /** All bytes in one piece; it is empty afterwards. */
  take(): Uint8Array {
    const all = this.#only ?? this.#bytes.subarray(0, this.#length);
    this.clear();
    return all;
  }

  clear(): void {
    this.#only = null;
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
  }

  #append(chunk: Uint8Array, at: number): void {
    const length = at + chunk.length;
    if (length > this.#bytes.length) {
      const capacity = Math.max(length, FIRST_CAPACITY, GROWTH * this.#bytes.length);
      this.#grow(length <= this.#expected ? Math.min(capacity, this.#expected) : capacity);
    }
    this.#bytes.set(chunk, at);
  }

  /** The system gives memory only where it is written to, so room that is not used costs nothing. */
  #grow(capacity: number): void {
    const old = this.#bytes;
    this.#bytes = new Uint8Array(capacity);
    this.#bytes.set(old);
    old.buffer.transfer(0); // frees it now, not when garbage is next collected
  }
}
