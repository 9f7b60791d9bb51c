import type { IncomingHttpHeaders } from 'node:http';
import type { ReceivedCall } from '../http/call.ts';
import { textHeadersDown } from '../http/headers-down.ts';
import type { RawHeaders } from '../http/headers.ts';

/** An upstream's complete answer about batches. */
export interface BatchAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Batch {
  readonly id?: unknown;
  readonly results_url?: unknown;
}

/** The id of a batch becomes part of paths and keys, so its characters are limited. */
const ID = /^[\w-]{1,128}$/;

/** The id of the batch that a body describes, null if it describes none. */
export function batchIn(text: string): string | null {
  const { id } = parsed(text);
  return typeof id === 'string' && ID.test(id) ? id : null;
}

/** Passes an answer on, with headers of our own. In a description of a batch, the URL of its results leads to this gateway. */
export function sendBatch(
  { res, headersDown }: ReceivedCall,
  { status, headers, text }: BatchAnswer,
  ours: RawHeaders,
): void {
  if (res.destroyed) return;
  const body = status === 200 ? rewritten(text) : text;
  res.writeHead(status, [...textHeadersDown(headersDown, headers, body), ...ours]);
  res.end(body);
}

/**
 * SDKs fetch `results_url` with the caller's credential, so it must not name the upstream. Every client appends a path to
 * its base URL, and so keeps the scheme and the prefix by which it reaches the gateway.
 */
export function rewriteUrls<T extends Batch>(batch: T): T {
  if (typeof batch.results_url !== 'string' || typeof batch.id !== 'string') return batch;
  return { ...batch, results_url: `/v1/messages/batches/${batch.id}/results` };
}

function rewritten(text: string): string {
  const batch = parsed(text);
  return typeof batch.results_url === 'string' ? JSON.stringify(rewriteUrls(batch)) : text;
}

/** An empty object if the text is not JSON. */
export function parsed(text: string): Batch {
  try {
    return (JSON.parse(text) ?? {}) as Batch;
  } catch {
    return {};
  }
}
