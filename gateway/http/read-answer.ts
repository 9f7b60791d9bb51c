import type { Readable } from 'node:stream';

/** The largest answer about one object, and a page of a thousand of them. Bytes. */
export const MAX_ANSWER_BYTES = 1024 * 1024;
export const MAX_PAGE_BYTES = 8 * MAX_ANSWER_BYTES;

/**
 * Reads an upstream's answer as text: memory has a bound, whatever the upstream sends. Null if it breaks off, or is longer
 * than `limit` bytes. Never rejects.
 */
export async function readAnswer(body: Readable, limit: number): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // Returning from within destroys the body, and closes its connection.
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) return null;
    }
  } catch {
    return null;
  }
  return Buffer.concat(chunks).toString('utf8');
}
