import type { Dispatcher } from 'undici';
import { decoderOf } from './content-decoder.ts';

/** The largest answer about one object, and a page of a thousand of them. Bytes. */
export const MAX_ANSWER_BYTES = 1024 * 1024;
export const MAX_PAGE_BYTES = 8 * MAX_ANSWER_BYTES;

/**
 * Reads an upstream's answer as text, decompressed where the upstream compressed it unasked. Memory has a bound, whatever
 * the upstream sends: null if the answer breaks off, cannot be decoded, or is longer than `limit` bytes. Never rejects.
 */
export async function readAnswer(
  { headers, body }: Pick<Dispatcher.ResponseData, 'headers' | 'body'>,
  limit: number,
): Promise<string | null> {
  const chunks: Buffer[] = [];
  let length = 0;
  const decoder = decoderOf(headers['content-encoding']?.toString(), (bytes) => {
    length += bytes.length;
    if (length <= limit) chunks.push(bytes);
  });
  let received = 0;
  try {
    // Returning from within destroys the body, and closes its connection.
    for await (const chunk of body as AsyncIterable<Buffer>) {
      received += chunk.length;
      if (received > limit || length > limit) return null;
      decoder.write(chunk);
    }
  } catch {
    return null;
  }
  await new Promise<void>((resolve) => decoder.end(resolve));
  if (!decoder.isReadable || length > limit) return null;
  return Buffer.concat(chunks).toString('utf8');
}

/** A page of what the upstream keeps (batches, files), newest first. */
export interface Page {
  readonly data: readonly { readonly id: string }[];
  readonly has_more: boolean;
  readonly first_id: string | null;
  readonly last_id: string | null;
}

/** Null if the text is no page. */
export function pageIn(text: string): Page | null {
  try {
    const page = JSON.parse(text) as Page | null;
    return Array.isArray(page?.data) ? page : null;
  } catch {
    return null;
  }
}
