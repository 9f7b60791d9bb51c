import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { BodyFile } from '../http/body-file.ts';
import type { RawHeaders } from '../http/headers.ts';

/** A batch on its way up. */
export interface Upload {
  readonly upstream: Dispatcher;
  readonly path: string;
  readonly headers: RawHeaders;
  readonly file: BodyFile;
  /** The caller's answer: a caller that leaves before all is sent stops the upload. */
  readonly res: ServerResponse;
}

/** What became of an upload. */
export type Uploaded =
  /** Not all of the body was sent, so there is no such batch. */
  | { readonly kind: 'NotSent' }
  /** All of it was sent and no complete answer came: the batch may exist. */
  | { readonly kind: 'Broken' }
  | {
      readonly kind: 'Answered';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      readonly text: string;
    };

/** Sends a batch from its file, a chunk at a time. Never rejects. */
export async function upload({ upstream, path, headers, file, res }: Upload): Promise<Uploaded> {
  const body = file.read();
  const isWhole = (): boolean => body.bytesRead >= file.size;
  const onClose = (): void => {
    if (!isWhole()) body.destroy(new Error('the caller left'));
  };
  const closed = new Promise<void>((resolve) => body.once('close', () => resolve()));
  body.on('error', () => undefined); // the upload fails with it
  res.once('close', onClose);
  try {
    const sized = [...headers, 'content-length', String(file.size)];
    const answer = await upstream.request({ path, method: 'POST', headers: sized, body });
    const { statusCode: status } = answer;
    // An error status counts without its text too.
    const text = status < 300 ? await answer.body.text() : await answer.body.text().catch(() => '');
    return { kind: 'Answered', status, headers: answer.headers, text };
  } catch {
    return { kind: isWhole() ? 'Broken' : 'NotSent' };
  } finally {
    res.off('close', onClose);
    body.destroy();
    await closed;
  }
}
