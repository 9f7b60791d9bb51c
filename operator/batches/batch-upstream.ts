import { Agent, type Dispatcher, request } from 'undici';

/** A batch as its upstream sees it. */
export type Seen =
  | { readonly kind: 'Running' }
  /** `lines`: how many results there are; null where the upstream does not say. */
  | { readonly kind: 'Ended'; readonly endedAt: number; readonly lines: number | null }
  /** The upstream knows no such batch, or has put its results away. */
  | { readonly kind: 'Gone' };

/** Where a batch is, and the key that it was made with. */
export interface Address {
  readonly baseURL: string;
  readonly apiKey: string;
  readonly batch: string;
}

/** The upstream answered with an error, or with what is no batch. Never carries the key. */
class UpstreamProblem extends Error {
  override readonly name = 'UpstreamProblem';
}

const VERSION = '2023-06-01';
/** An upstream that is silent for longer, before its answer or within it, is asked again later. Milliseconds. */
const SILENCE_MS = 60_000;
/** By HTTP/1.1: a connection that dies without a word costs its own request, and not those of other batches. */
const upstreams = new Agent({ allowH2: false, headersTimeout: SILENCE_MS, bodyTimeout: SILENCE_MS });
const NEWLINE = 0x0a;

/** Looks at a batch. Throws where it answers with an error, or what the connection threw. */
export async function look(address: Address): Promise<Seen> {
  const { statusCode, body } = await ask(address, '');
  const text = await body.text();
  if (statusCode === 404) return { kind: 'Gone' };
  if (statusCode !== 200) throw new UpstreamProblem(`the upstream answered ${statusCode}`);
  const batch = parse(text);
  if (batch.archived_at != null) return { kind: 'Gone' };
  if (batch.processing_status !== 'ended') return { kind: 'Running' };
  return { kind: 'Ended', endedAt: Date.parse(String(batch.ended_at)), lines: linesOf(batch.request_counts) };
}

/** The lines of a batch's results as they come. Throws where it answers with an error, or what the connection threw. */
export async function* results(address: Address): AsyncGenerator<string> {
  const { statusCode, body } = await ask(address, '/results');
  if (statusCode !== 200) {
    await body.dump();
    throw new UpstreamProblem(`the upstream answered ${statusCode} to the results`);
  }
  let parts: Buffer[] = [];
  for await (const chunk of body as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      parts.push(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(parts).toString();
      parts = [];
      if (line.trim() !== '') yield line;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  const last = Buffer.concat(parts).toString();
  if (last.trim() !== '') yield last;
}

function ask({ baseURL, apiKey, batch }: Address, what: string): Promise<Dispatcher.ResponseData> {
  return request(`${baseURL}/v1/messages/batches/${batch}${what}`, {
    headers: { 'x-api-key': apiKey, 'anthropic-version': VERSION, 'accept-encoding': 'identity' },
    dispatcher: upstreams,
  });
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
    throw new UpstreamProblem('the upstream answered with what is no batch');
  }
}

function linesOf(counts: Batch['request_counts']): number | null {
  const list = Object.values(counts ?? {}).map(Number);
  return list.length > 0 && list.every(Number.isInteger) ? list.reduce((sum, count) => sum + count) : null;
}
