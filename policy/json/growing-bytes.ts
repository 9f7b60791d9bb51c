const FIRST_CAPACITY = 64 * 1024;
/** The bytes are moved when they have grown eightfold: of 32 MB no more than 4 MB. */
const GROWTH = 8;

interface Options {
  /** The length, if it is known: no more than that is asked of the system for bytes that may never come. */
  readonly expected?: number;
  /** Whether nobody else uses the chunks, so that each is freed once it is copied. */
  readonly ownsChunks?: boolean;
}

/**
 * Collects a body that arrives in chunks in one piece of memory: a chunk, of which there may be one for each byte, costs
 * hundreds of bytes, and joining all at the end would take twice the memory.
 */
export class GrowingBytes {
  readonly #expected: number;
  readonly #ownsChunks: boolean;
  /** A first chunk, which may be all; it becomes part of `#bytes` with the next one. */
  #only: Uint8Array | null = null;
  #bytes = new Uint8Array(0);
  #length = 0;

  constructor({ expected = 0, ownsChunks = false }: Options = {}) {
    this.#expected = expected;
    this.#ownsChunks = ownsChunks;
  }

  get length(): number {
    return this.#length;
  }

  /** Takes a chunk, which must not change until `take`. */
  add(chunk: Uint8Array): void {
    const at = this.#length;
    this.#length += chunk.length;
    if (at === 0) {
      this.#only = chunk;
      return;
    }
    if (this.#only !== null) this.#append(this.#only, 0);
    this.#only = null;
    this.#append(chunk, at);
  }

  /** All bytes in one piece; it is empty afterwards. */
  take(): Uint8Array {
    const all = this.#only ?? this.#bytes.subarray(0, this.#length);
    this.#reset();
    return all;
  }

  /** Drops what it has. */
  clear(): void {
    free(this.#bytes);
    this.#reset();
  }

  #reset(): void {
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
    if (this.#ownsChunks) free(chunk);
  }

  /** The system gives memory only where it is written to, so room that is not used costs nothing. */
  #grow(capacity: number): void {
    const old = this.#bytes;
    this.#bytes = new Uint8Array(capacity);
    this.#bytes.set(old);
    free(old);
  }
}

/** Frees memory now, not when garbage is next collected, unless there is more in it than these bytes. */
function free({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}
