import type { IncomingMessage } from 'node:http';
import { type Err, err, ok, type Result } from '../../policy/core/result.ts';
import { GrowingBytes } from '../../policy/json/growing-bytes.ts';
import { type Refusal, type RefusalReason, refusalFor } from '../../policy/refusals/refusals.ts';
import type { ReceivedCall } from './call.ts';

/** The limit of the Messages API. Bytes. */
const MAX_BODY_BYTES = 32 * 1024 * 1024;

/** The caller left before its request was complete. */
export type CallerGone = 'gone';

/**
 * Reads the complete body, because only then its maximum cost is known. The rest of a body that is refused is read and
 * dropped, so that the caller, which may still be sending, gets the refusal.
 */
export function readBody({ req, memory }: ReceivedCall): Promise<Result<Buffer, Refusal | CallerGone>> {
  const refusal = refuseUnread(req, MAX_BODY_BYTES, 'BodyTooLarge');
  if (refusal !== null) return drop(req, refusal);
  return new Promise((resolve) => {
    const bytes = new GrowingBytes({ expected: Number(req.headers['content-length'] ?? 0), ownsChunks: true });
    const problemOf = (chunk: Buffer): RefusalReason | null => {
      if (bytes.length + chunk.length > MAX_BODY_BYTES) return 'BodyTooLarge';
      return memory.grow(chunk.length) ? null : 'BodyMemoryFull';
    };
    req.on('data', (chunk: Buffer) => {
      const reason = problemOf(chunk);
      if (reason === null) bytes.add(chunk);
      else {
        bytes.clear();
        memory.close();
        resolve(drop(req, refusalFor(reason)));
      }
    });
    req.on('end', () => resolve(ok(bufferOf(bytes.take()))));
    const leave = (): void => {
      bytes.clear();
      resolve(err('gone'));
    };
    req.on('close', leave);
    req.on('error', leave);
  });
}

function bufferOf({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** An upstream could read another charset's bytes as another text. */
const JSON_TYPE = /^application\/json *(?:; *charset *= *(?:utf-?8|"utf-?8") *)?$/i;

/** The refusal of a body for its headers alone, or null. */
export function refuseUnread(req: IncomingMessage, maxBytes: number, tooLarge: RefusalReason): Refusal | null {
  const types = req.headersDistinct['content-type'] ?? [];
  if (!types.every((type) => JSON_TYPE.test(type))) return refusalFor('ContentTypeInvalid');
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return refusalFor('BodyCompressed');
  return Number(req.headers['content-length'] ?? 0) > maxBytes ? refusalFor(tooLarge) : null;
}

function drop(req: IncomingMessage, refusal: Refusal): Promise<Err<Refusal>> {
  req.removeAllListeners('data').resume();
  return Promise.resolve(err(refusal));
}
