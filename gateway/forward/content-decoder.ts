import type { Transform } from 'node:stream';
import { constants, createBrotliDecompress, createInflate, createGunzip, createZstdDecompress } from 'node:zlib';

/** Decodes a copy of an answer. */
export interface ContentDecoder {
  write(chunk: Buffer): void;
  /** The answer has ended or broken off: calls `then` once everything that can be decoded was. */
  end(then: () => void): void;
}

/** Passes decoded bytes to `onBytes`; an unknown encoding yields none. Identity is requested, yet some compress. */
export function decoderOf(encoding: string | undefined, onBytes: (bytes: Buffer) => void): ContentDecoder {
  const name = (encoding ?? 'identity').trim().toLowerCase();
  if (name === 'identity' || name === '') return { write: onBytes, end: (then) => then() };
  const create = DECODERS.get(name);
  return create === undefined ? BLIND : decompressing(create(), onBytes);
}

const BLIND: ContentDecoder = { write: () => undefined, end: (then) => then() };

/** The flush modes let a truncated answer be decoded as far as it goes. */
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
  // Invalid bytes end the decoding; those before them were decoded.
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
