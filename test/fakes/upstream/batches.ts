import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Behaviour, behaviourOf } from './behaviour.ts';
import type { Books } from './books.ts';
import { headers, Problem } from './envelope.ts';
import { type Message, answer, messageJson } from './message.ts';

type Outcome = 'succeeded' | 'errored' | 'canceled' | 'expired';

/** What is kept of a request; its answer is made when it is read. */
interface Request {
  customId: string;
  model: string;
  maxTokens: number;
  bytes: number;
  behaviour: Behaviour;
}

interface Batch {
  id: string;
  apiKey: string;
  createdAt: number;
  requests: Request[];
  canceledAt: number | null;
  endedAt: number | null;
}

/** Where on this server a batch is asked for. */
export const BATCHES = '/v1/messages/batches';
const DAY_MS = 86_400_000;
/** Lines of results that are written together. */
const LINES = 100;

/** The Message Batches of the stand-in. Bodies are read as they come and results are made as they go. */
export class Batches {
  readonly #books: Books;
  readonly #all: Batch[] = [];
  readonly #held = new Set<Batch>();
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(books: Books) {
    this.#books = books;
  }

  /** Ends the batches that are held. */
  release(): void {
    for (const batch of this.#held) this.#end(batch);
    this.#held.clear();
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** Reads the body of `POST /v1/messages/batches`, and begins the batch. */
  async create(apiKey: string, request: IncomingMessage, behaviour: Behaviour, host: string): Promise<unknown> {
    const requests: Request[] = [];
    const elements = new Elements((text) => requests.push(requestOf(text, behaviour)));
    for await (const chunk of request as AsyncIterable<Buffer>) elements.write(chunk);
    if (requests.length === 0) throw new Problem(400, 'invalid_request_error', 'requests: at least one is required');
    const names = new Set(requests.map(({ customId }) => customId));
    if (names.size < requests.length) throw new Problem(400, 'invalid_request_error', 'custom_id must be unique');
    const id = `msgbatch_${(this.#all.length + 1).toString(36).padStart(24, '0')}`;
    const batch: Batch = { id, apiKey, createdAt: Date.now(), requests, canceledAt: null, endedAt: null };
    this.#all.unshift(batch);
    this.#run(batch, behaviour.batchMs === undefined ? 0 : behaviour.batchMs);
    return view(batch, host);
  }

  #run(batch: Batch, ms: number | null): void {
    if (ms === null) this.#held.add(batch);
    else if (ms === 0) this.#end(batch);
    else {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#end(batch);
      }, ms);
      this.#timers.add(timer);
    }
  }

  /** All that succeeded is billed. */
  #end(batch: Batch): void {
    if (batch.endedAt !== null) return;
    batch.endedAt = Date.now();
    for (const [index, request] of batch.requests.entries()) {
      if (outcomeOf(batch, index) !== 'succeeded') continue;
      const { model, usage } = messageOf(batch, index, request);
      this.#books.bill(batch.apiKey, model, usage);
    }
  }

  /** `GET /v1/messages/batches`, newest first. */
  list(apiKey: string, query: URLSearchParams, host: string): unknown {
    const own = this.#all.filter((batch) => batch.apiKey === apiKey);
    const limit = Number(query.get('limit') ?? 20);
    const [after, before] = [query.get('after_id'), query.get('before_id')];
    const at = (id: string) => own.indexOf(this.#find(apiKey, id));
    const upTo = before === null ? own.length : at(before);
    const from = before === null ? (after === null ? 0 : at(after) + 1) : Math.max(0, upTo - limit);
    const data = own.slice(from, Math.min(upTo, from + limit)).map((batch) => view(batch, host));
    const hasMore = before === null ? from + limit < own.length : from > 0;
    const ids = data.map(({ id }) => id);
    return { data, has_more: hasMore, first_id: ids[0] ?? null, last_id: ids.at(-1) ?? null };
  }

  /** `GET /v1/messages/batches/{id}`. */
  one(apiKey: string, id: string, host: string): unknown {
    return view(this.#find(apiKey, id), host);
  }

  /** `POST …/cancel`: every second request had not been begun. */
  cancel(apiKey: string, id: string, host: string): unknown {
    const batch = this.#find(apiKey, id);
    if (batch.endedAt === null) batch.canceledAt ??= Date.now();
    return view(batch, host);
  }

  /** `DELETE /v1/messages/batches/{id}`. */
  remove(apiKey: string, id: string): unknown {
    const batch = this.#find(apiKey, id);
    if (batch.endedAt === null) throw new Problem(400, 'invalid_request_error', `${id} is still being processed`);
    this.#all.splice(this.#all.indexOf(batch), 1);
    return { id, type: 'message_batch_deleted' };
  }

  /** `GET …/results`: a line a request, at the pace of the behaviour, broken off in the middle where that says so. */
  async results(apiKey: string, id: string, response: ServerResponse, behaviour: Behaviour): Promise<void> {
    const batch = this.#find(apiKey, id);
    if (batch.endedAt === null) throw new Problem(404, 'not_found_error', `${id} has no results yet`);
    response.writeHead(200, headers('req_results', 'application/x-jsonl'));
    const end = behaviour.breakAt === 'Middle' ? batch.requests.length / 2 : batch.requests.length;
    for (let from = 0; from < end && !response.destroyed; from += LINES) {
      const part = batch.requests.slice(from, Math.min(end, from + LINES));
      const lines = part.map((request, index) => `${JSON.stringify(resultOf(batch, from + index, request))}\n`);
      if (!response.write(lines.join(''))) await Promise.race([once(response, 'drain'), once(response, 'close')]);
      await sleep(behaviour.paceMs ?? 0);
    }
    if (behaviour.breakAt === 'Middle') response.socket?.resetAndDestroy();
    else response.end();
  }

  #find(apiKey: string, id: string): Batch {
    const batch = this.#all.find((one) => one.id === id && one.apiKey === apiKey);
    if (batch === undefined) throw new Problem(404, 'not_found_error', `There is no batch ${id}`);
    return batch;
  }
}

function view(batch: Batch, host: string): { id: string } & Record<string, unknown> {
  const { id, createdAt, canceledAt, endedAt, requests } = batch;
  const counts = { processing: 0, succeeded: 0, errored: 0, canceled: 0, expired: 0 };
  if (endedAt === null) counts.processing = requests.length;
  else for (const index of requests.keys()) counts[outcomeOf(batch, index)] += 1;
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  return {
    id,
    type: 'message_batch',
    processing_status: endedAt !== null ? 'ended' : canceledAt !== null ? 'canceling' : 'in_progress',
    request_counts: counts,
    created_at: time(createdAt),
    expires_at: time(createdAt + DAY_MS),
    ended_at: time(endedAt),
    cancel_initiated_at: time(canceledAt),
    archived_at: null,
    results_url: endedAt === null ? null : `http://${host}${BATCHES}/${id}/results`,
  };
}

function outcomeOf({ canceledAt, requests }: Batch, index: number): Outcome {
  const asked = requests[index]!.behaviour.outcome;
  if (asked !== undefined) return asked;
  return canceledAt !== null && index % 2 === 1 ? 'canceled' : 'succeeded';
}

function resultOf(batch: Batch, index: number, request: Request): unknown {
  const type = outcomeOf(batch, index);
  const error = { type: 'error', error: { type: 'invalid_request_error', message: 'bad request' }, request_id: null };
  return {
    custom_id: request.customId,
    result: {
      type,
      ...(type === 'errored' ? { error } : {}),
      ...(type === 'succeeded'
        ? { message: JSON.parse(messageJson(messageOf(batch, index, request))) as unknown }
        : {}),
    },
  };
}

function messageOf({ id }: Batch, index: number, { model, maxTokens, bytes, behaviour }: Request): Message {
  const name = `msg_${id.slice('msgbatch_'.length)}${index.toString(36)}`;
  const usage = behaviour.usage === null ? null : { service_tier: 'batch', ...behaviour.usage };
  return answer(name, { model, max_tokens: maxTokens, messages: [] }, bytes, { ...behaviour, usage });
}

function requestOf(text: string, preset: Behaviour): Request {
  const { custom_id: customId, params } = JSON.parse(text) as {
    custom_id: string;
    params: { model: string; max_tokens: number; metadata?: unknown };
  };
  const bytes = Buffer.byteLength(JSON.stringify(params));
  const { usage, outcome, model } = behaviourOf(preset, undefined, params.metadata);
  const behaviour = {
    ...(usage === undefined ? {} : { usage }),
    ...(outcome ? { outcome } : {}),
    ...(model ? { model } : {}),
  };
  return { customId, model: params.model, maxTokens: params.max_tokens, bytes, behaviour };
}

/** The objects of the one list of a body, by counting brackets: its own way of reading, so that it finds other bugs. */
class Elements {
  readonly #onElement: (text: string) => void;
  #depth = 0;
  #quoted = false;
  #escaped = false;
  #parts: Buffer[] = [];

  constructor(onElement: (text: string) => void) {
    this.#onElement = onElement;
  }

  write(chunk: Buffer): void {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#escaped) this.#escaped = false;
      else if (this.#quoted) {
        if (byte === 0x5c) this.#escaped = true;
        else if (byte === 0x22) this.#quoted = false;
      } else if (byte === 0x22) this.#quoted = true;
      else if (byte === 0x7b || byte === 0x5b) {
        this.#depth += 1;
        if (this.#depth === 3) from = at;
      } else if (byte === 0x7d || byte === 0x5d) {
        this.#depth -= 1;
        if (this.#depth !== 2) continue;
        this.#onElement(Buffer.concat([...this.#parts, chunk.subarray(from, at + 1)]).toString());
        this.#parts = [];
      }
    }
    if (this.#depth >= 3) this.#parts.push(chunk.subarray(from));
  }
}
