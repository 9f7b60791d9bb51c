import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import { type BatchReader, MAX_BATCH_BYTES } from '../../policy/request/batch-reader.ts';
import type { BodyFile } from '../http/body-file.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import { type CallerGone, refuseUnread } from '../http/read-body.ts';
import type { ReadingTurns } from '../http/reading-turns.ts';
import { jsonHeadersUp } from '../upstream/headers-up.ts';
import { MAX_ANSWER_BYTES, readAnswer } from '../upstream/read-answer.ts';
import { type Upstream, pathUp } from '../upstream/upstreams.ts';
import type { BatchAnswer } from './batch-response.ts';

/**
 * Reads the body of a batch to disk, each of its requests on the way. Null once it is whole. The rest of a body that is
 * refused is read and dropped, so that the caller, which may still be sending, gets the refusal.
 */
export async function receiveBatch(
  call: AuthenticatedCall,
  file: BodyFile,
  reader: BatchReader,
  readingTurns: ReadingTurns,
): Promise<Refusal | CallerGone | null> {
  const { req } = call;
  const refusal =
    refuseUnread(req, MAX_BATCH_BYTES, 'BatchTooLarge') ?? (await readToFile(call, file, reader, readingTurns));
  if (refusal !== null && refusal !== 'gone') req.resume();
  return refusal;
}

async function readToFile(
  call: AuthenticatedCall,
  file: BodyFile,
  reader: BatchReader,
  readingTurns: ReadingTurns,
): Promise<Refusal | CallerGone | null> {
  const { req } = call;
  const memory = call.memory.part();
  const chunks = req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  try {
    for await (const chunk of chunks) {
      const read = await readingTurns.run(call, reader.write(chunk));
      if (!read.ok) return read.error;
      if (read.value !== null) return read.value;
      if (!memory.set(reader.memory)) return refusalFor('BodyMemoryFull');
      const isWritten = await file.write(chunk).catch(() => null);
      if (isWritten !== true) return refusalFor(isWritten === null ? 'BatchStorageFailed' : 'BatchStorageFull');
    }
  } catch (error) {
    if (req.destroyed && !req.complete) return 'gone';
    throw error;
  }
  return reader.end();
}

/** What was seen of a batch that was sent. */
export interface Uploaded {
  /** All of the body was sent; if not, there is no such batch. */
  readonly isSent: boolean;
  /** Null if none began. Its text is null if it broke off or is too long. */
  readonly answer: (Omit<BatchAnswer, 'text'> & { readonly text: string | null }) | null;
  /** From the first byte of the body to the end of the answer. */
  readonly milliseconds: number;
}

/**
 * Sends a batch from its file, a chunk at a time; a caller that leaves before all is sent stops that. `elapsed`: the
 * monotonic clock, in milliseconds. Never rejects.
 */
export async function upload(
  call: AuthenticatedCall,
  file: BodyFile,
  upstream: Upstream,
  elapsed: () => number,
): Promise<Uploaded> {
  const { req, res, route, caller } = call;
  const body = file.read();
  const began = elapsed();
  const isWhole = (): boolean => body.bytesRead >= file.size;
  const onClose = (): void => {
    if (!isWhole()) body.destroy(new Error('the caller left'));
  };
  const closed = new Promise<void>((resolve) => body.once('close', () => resolve()));
  body.on('error', () => undefined); // the upload fails with it
  res.once('close', onClose);
  try {
    const headers = [...jsonHeadersUp(req, caller.workspace), 'content-length', String(file.size)];
    const asked = await upstream.pool.request({ path: pathUp(upstream, route), method: 'POST', headers, body });
    const text = await readAnswer(asked, MAX_ANSWER_BYTES);
    const answer = { status: asked.statusCode, headers: asked.headers, text };
    return { isSent: true, answer, milliseconds: elapsed() - began };
  } catch {
    return { isSent: isWhole(), answer: null, milliseconds: elapsed() - began };
  } finally {
    res.off('close', onClose);
    body.destroy();
    await closed;
  }
}
