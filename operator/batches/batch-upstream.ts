import { Agent, type Dispatcher, request } from 'undici';
import { upstreamConnector } from '../../proxy/connector.ts';
import type { ProxyFor } from '../../proxy/proxy-environment.ts';

export type BatchProgress =
  | { readonly kind: 'Running' }
  /** `endedAt`: milliseconds since the epoch, NaN where unreadable. `lines`: the number of results; null where unknown. */
  | { readonly kind: 'Ended'; readonly endedAt: number; readonly lines: number | null }
  /** The upstream does not know the batch, or has archived its results. */
  | { readonly kind: 'Gone' };

export interface BatchAddress {
  readonly baseURL: string;
  readonly apiKey: string;
  /** What its workspace sends with every call. */
  readonly headers: Readonly<Record<string, string>>;
  readonly batch: string;
}

/** The upstream answered with an error, or with something other than a batch. Its message never contains the key. */
class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
}

const VERSION = '2023-06-01';
/** Time-out of an upstream, before its answer and between two pieces of it. Milliseconds. */
const TIMEOUT_MS = 60_000;
const NEWLINE = 0x0a;
/** The longest description of a batch, and the longest result: that of a request with large results of tools. Bytes. */
const MAX_ANSWER_BYTES = 1024 * 1024;
const MAX_LINE_BYTES = 32 * 1024 * 1024;

/** Asks upstreams for batches and their results. */
export class BatchUpstream {
  readonly #agent: Agent;

  constructor(proxyFor: ProxyFor) {
    // HTTP/1.1: a connection that dies silently costs its own request only, not those of other batches.
    const connect = upstreamConnector(proxyFor);
    this.#agent = new Agent({ allowH2: false, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS, connect });
  }

  /** Fetches how far a batch is. Throws UpstreamError, or an error of undici. */
  async progress(address: BatchAddress): Promise<BatchProgress> {
    const { statusCode, body } = await this.#get(address, '');
    const text = await textOf(body);
    if (statusCode === 404) return { kind: 'Gone' };
    if (statusCode !== 200) throw new UpstreamError(`the upstream answered ${statusCode}`);
    const batch = parse(text);
    if (batch.archived_at != null) return { kind: 'Gone' };
    if (batch.processing_status !== 'ended') return { kind: 'Running' };
    return { kind: 'Ended', endedAt: Date.parse(String(batch.ended_at)), lines: linesOf(batch.request_counts) };
  }

  /** Yields the lines of a batch's results as they arrive. Throws as `progress`. */
  async *results(address: BatchAddress): AsyncGenerator<string> {
    const { statusCode, body } = await this.#get(address, '/results');
    if (statusCode !== 200) {
      await body.dump();
      throw new UpstreamError(`the upstream answered ${statusCode} to the request for the results`);
    }
    const line = new Line();
    for await (const chunk of body as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
        line.add(chunk.subarray(start, end));
        start = end + 1;
        const text = line.take();
        if (text !== '') yield text;
      }
      line.add(chunk.subarray(start));
    }
    const last = line.take();
    if (last !== '') yield last;
  }

  #get({ baseURL, apiKey, headers, batch }: BatchAddress, what: string): Promise<Dispatcher.ResponseData> {
    return request(`${baseURL}/v1/messages/batches/${batch}${what}`, {
      headers: { 'anthropic-version': VERSION, ...headers, 'x-api-key': apiKey, 'accept-encoding': 'identity' },
      dispatcher: this.#agent,
    });
  }
}

/** A line of results as its parts come. Of one that is too long only a note is left, which cannot be read as a result. */
class Line {
  #parts: Buffer[] = [];
  #length = 0;

  add(part: Buffer): void {
    this.#length += part.length;
    if (this.#length <= MAX_LINE_BYTES) this.#parts.push(part);
    else this.#parts = [];
  }

  /** The line without the space around it; begins the next one. */
  take(): string {
    const text = this.#length > MAX_LINE_BYTES ? `${this.#length} bytes` : Buffer.concat(this.#parts).toString().trim();
    this.#parts = [];
    this.#length = 0;
    return text;
  }
}

/** Throws UpstreamError where the answer is too long to describe a batch. */
async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new UpstreamError('the upstream did not answer with a batch');
  }
  return Buffer.concat(chunks).toString();
}

interface Batch {
  readonly processing_status?: unknown;
  readonly ended_at?: unknown;
  readonly archived_at?: unknown;
  readonly request_counts?: Readonly<Record<string, unknown>>;
}

function parse(text: string): Batch {
  try {
    return JSON.parse(text) as Batch;
  } catch {
    throw new UpstreamError('the upstream did not answer with a batch');
  }
}

function linesOf(counts: Batch['request_counts']): number | null {
  const list = Object.values(counts ?? {}).map(Number);
  return list.length > 0 && list.every(Number.isInteger) ? list.reduce((sum, count) => sum + count) : null;
}
