import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { headersDown, type RawHeaders } from '../http/headers.ts';

/** An upstream's answer about batches, read whole. */
export interface BatchAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface Batch {
  readonly id?: unknown;
  readonly results_url?: unknown;
}

/** An id of a batch becomes part of paths and keys. */
const ID = /^[\w-]{1,128}$/;

/** The id of the batch that a body describes, null where it describes none. */
export function batchIn(text: string): string | null {
  const { id } = parsed(text);
  return typeof id === 'string' && ID.test(id) ? id : null;
}

/** Passes an answer on, with headers of ours; one that describes a batch sends the caller to this gateway for its results. */
export function sendBatch(res: ServerResponse, { status, headers, text }: BatchAnswer, ours: RawHeaders): void {
  if (res.destroyed) return;
  const body = status === 200 ? leading(text) : text;
  const length = ['content-length', String(Buffer.byteLength(body))];
  res.writeHead(status, [...headersDown(headers), ...ours, ...length]);
  res.end(body);
}

/**
 * SDKs fetch `results_url` with the caller's credential, so it must not name the upstream. A path is what every client
 * puts behind its base URL, with the prefix and the scheme that it reaches the gateway by.
 */
export function rewriteUrls<T extends Batch>(batch: T): T {
  if (typeof batch.results_url !== 'string' || typeof batch.id !== 'string') return batch;
  return { ...batch, results_url: `/v1/messages/batches/${batch.id}/results` };
}

function leading(text: string): string {
  const batch = parsed(text);
  return typeof batch.results_url === 'string' ? JSON.stringify(rewriteUrls(batch)) : text;
}

function parsed(text: string): Batch {
  try {
    return (JSON.parse(text) ?? {}) as Batch;
  } catch {
    return {};
  }
}
