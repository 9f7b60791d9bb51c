import type { ServerResponse } from 'node:http';
import type { Transform } from 'node:stream';
import { constants, createBrotliCompress, createDeflate, createGzip, createZstdCompress } from 'node:zlib';
import type { Behaviour } from './behaviour.ts';

/** What compresses an answer, each piece as it comes. */
export function compressed(response: ServerResponse, encoding: NonNullable<Behaviour['encoding']>): Transform {
  const transform = ENCODERS[encoding]();
  transform.pipe(response);
  response.once('close', () => transform.destroy());
  return transform;
}

const ENCODERS = {
  gzip: () => createGzip({ flush: constants.Z_SYNC_FLUSH }),
  deflate: () => createDeflate({ flush: constants.Z_SYNC_FLUSH }),
  br: () => createBrotliCompress({ flush: constants.BROTLI_OPERATION_FLUSH }),
  zstd: () => createZstdCompress({ flush: constants.ZSTD_e_flush }),
};
