import type { IncomingMessage } from 'node:http';
import type { Refusal } from '../../policy/core/refusals.ts';
import { refusalFor } from '../../policy/core/refusals.ts';
import { type BatchReader, MAX_BATCH_BYTES } from '../../policy/request/batch-reader.ts';
import type { BodyFile } from '../http/body-file.ts';
import { type CallerGone, refuseUnread } from '../http/read-body.ts';

/**
 * Reads the body of a batch to disk, each of its requests on the way. Null once it is whole. The rest of a body that is
 * refused is read and dropped, so that the caller, which may still be sending, gets the refusal.
 */
export async function receiveBatch(
  req: IncomingMessage,
  file: BodyFile,
  reader: BatchReader,
): Promise<Refusal | CallerGone | null> {
  const refusal = refuseUnread(req, MAX_BATCH_BYTES, 'BatchTooLarge') ?? (await readToFile(req, file, reader));
  if (refusal !== null && refusal !== 'gone') req.resume();
  return refusal;
}

async function readToFile(
  req: IncomingMessage,
  file: BodyFile,
  reader: BatchReader,
): Promise<Refusal | CallerGone | null> {
  const chunks = req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  try {
    for await (const chunk of chunks) {
      const refusal = reader.write(chunk);
      if (refusal !== null) return refusal;
      const isWritten = await file.write(chunk).catch(() => null);
      if (isWritten !== true) return refusalFor(isWritten === null ? 'BatchStorageFailed' : 'BatchStorageFull');
    }
  } catch (error) {
    if (req.destroyed && !req.complete) return 'gone';
    throw error;
  }
  return reader.end();
}
