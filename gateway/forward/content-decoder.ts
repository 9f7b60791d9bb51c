import type { Transform } from 'node:stream';
import { constants, createBrotliDecompress, createInflate, createGunzip, createZstdDecompress } from 'node:zlib';

/** Reads a copy of an answer on its way by. */
export interface ContentDecoder {
  write(chunk: Buffer): void;
  /** The answer is over or broke off: calls `then` once all that could be read of it was. */
  end(then: () => void): void;
}

/**
 * Hands on what an answer says. The upstream is asked for plain answers; one that it compressed all the same is decoded
 * for us and goes to the caller as it came. Of an encoding that is not known nothing can be read.
 */
export function decoderOf(encoding: string | undefined, onBytes: (bytes: Buffer) => void): ContentDecoder {
  const name = (encoding ?? 'identity').trim().toLowerCase();
  if (name === 'identity' || name === '') return { write: onBytes, end: (then) => then() };
  const create = DECODERS.get(name);
  return create === undefined ? BLIND : decompressing(create(), onBytes);
}

const BLIND: ContentDecoder = { write: () => undefined, end: (then) => then() };

/** What was torn off in the middle is read as far as it goes. */
const DECODERS: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ['gzip', () => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH })],
  ['x-gzip', () => createGunzip({ finishFlush: constants.Z_SYNC_FLUSH })],
  ['deflate', () => createInflate({ finishFlush: constants.Z_SYNC_FLUSH })],
  ['br', () => createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })],
  ['zstd', () => createZstdDecompress({ finishFlush: constants.ZSTD_e_flush })],
]);

function decompressing(transform: Transform, onBytes: (bytes: Buffer) => void): ContentDecoder {
  const closed = new Promise<void>((resolve) => transform.once('close', resolve));
  transform.on('data', onBytes);
  // Bytes that are not what the answer said they are: what came before them was read.
  transform.on('error', () => transform.destroy());
  return {
    write: (chunk) => {
      if (!transform.destroyed) transform.write(chunk);
    },
    end: (then) => {
      if (!transform.destroyed) transform.end();
      void closed.then(then);
    },
  };
}
