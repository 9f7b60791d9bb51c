import type { Transform } from 'node:stream';
import { constants, createBrotliDecompress, createInflate, createGunzip, createZstdDecompress } from 'node:zlib';

/** Decodes a copy of an answer. */
export interface ContentDecoder {
  /** False once some of the bytes could not be decoded, or were too many. */
  readonly isReadable: boolean;
  write(chunk: Buffer): void;
  /** The answer has ended or broken off: calls `then` once everything that can be decoded was. */
  end(then: () => void): void;
}

/** The largest answer that is decompressed: ten times what the longest stream has. A small one may inflate to anything. Bytes. */
const MAX_INFLATED = 256 * 1024 * 1024;
/** How much of an answer may wait to be decompressed: more comes only faster than it can be. Bytes. */
const MAX_WAITING = 8 * 1024 * 1024;

/** Passes decoded bytes to `onBytes`; an unknown encoding yields none. Identity is requested, yet some compress. */
export function decoderOf(encoding: string | undefined, onBytes: (bytes: Buffer) => void): ContentDecoder {
  const name = (encoding ?? 'identity').trim().toLowerCase();
  if (name === 'identity' || name === '') return { isReadable: true, write: onBytes, end: (then) => then() };
  const create = DECODERS.get(name);
  return create === undefined ? BLIND : new Decompressor(create(), onBytes);
}

const BLIND: ContentDecoder = { isReadable: false, write: () => undefined, end: (then) => then() };

/** The flush modes let a truncated answer be decoded as far as it goes. */
const DECODERS: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ['gzip', () => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH })],
  ['x-gzip', () => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH })],
  ['deflate', () => createInflate({ finishFlush: constants.Z_SYNC_FLUSH })],
  ['br', () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })],
  ['zstd', () => createZstdDecompress({ finishFlush: constants.ZSTD_e_flush })],
]);

class Decompressor implements ContentDecoder {
  readonly #transform: Transform;
  readonly #closed: Promise<void>;
  #inflated = 0;
  isReadable = true;

  constructor(transform: Transform, onBytes: (bytes: Buffer) => void) {
    this.#transform = transform;
    this.#closed = new Promise<void>((resolve) => transform.once('close', resolve));
    transform.on('data', (bytes: Buffer) => {
      this.#inflated += bytes.length;
      if (this.#inflated > MAX_INFLATED) this.#giveUp();
      else onBytes(bytes);
    });
    // Invalid bytes end the decoding; those before them were decoded.
    transform.on('error', () => this.#giveUp());
  }

  write(chunk: Buffer): void {
    if (this.#transform.destroyed) this.isReadable = false;
    else if (this.#transform.writableLength > MAX_WAITING) this.#giveUp();
    else this.#transform.write(chunk);
  }

  end(then: () => void): void {
    if (!this.#transform.destroyed) this.#transform.end();
    void this.#closed.then(then);
  }

  #giveUp(): void {
    this.isReadable = false;
    this.#transform.destroy();
  }
}
