import type { Dispatcher } from 'undici';

/** The text of a body; null if it has more than `maxBytes`, of which no more is read then. */
export async function textOf(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return null; // ends the connection
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Splits chunks into lines. A line may come in many chunks: each chunk is searched once. */
export async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let begun: string[] = [];
  for await (const chunk of chunks) {
    const [end = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n');
    begun.push(end);
    for (const next of others) {
      const line = begun.join('');
      begun = [next];
      if (line !== '') yield line;
    }
  }
}
