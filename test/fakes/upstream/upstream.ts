import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BATCHES, Batches } from './batches.ts';
import { type Behaviour, behaviourOf } from './behaviour.ts';
import { Books, type Statement } from './books.ts';
import { Delivery } from './delivery.ts';
import { Problem, sendEdge, sendJson, sendProblem, typeOf } from './envelope.ts';
import { FILES, Files } from './files.ts';
import { mediaOf } from './media.ts';
import { answer, inputTokens, parseRequest } from './message.ts';
import { models } from './models.ts';

export interface UpstreamOptions {
  /** Default: any free one. */
  port?: number;
  /** The address that it is reached by; default: 127.0.0.1. */
  host?: string;
  /** For all calls that ask for nothing of their own. */
  behaviour?: Behaviour;
  /** Which API keys are good; default: all that begin with `sk-ant-`. */
  accepts?: (apiKey: string) => boolean;
  /** Which models are served; default: all, so that the names of old apps can be tried. */
  serves?: (model: string) => boolean;
  /** Sees each request to /v1/ as it arrived. */
  observe?: (request: Received) => void;
}

/** A request as it arrived. */
export interface Received {
  method: string;
  /** Path and query. */
  url: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** A running stand-in for the Anthropic API. */
export interface Upstream {
  url: string;
  port: number;
  books: () => Statement;
  clearBooks: () => void;
  /** Replaces what all calls do that ask for nothing of their own. */
  behave: (behaviour: Behaviour) => void;
  /** Lets the streams go on that are held, and ends the batches that are. */
  release: () => void;
  /** Resets what is open, and ends. */
  close: () => Promise<void>;
}

const BODY_LIMIT = 32 * 1024 * 1024;

/** Starts the stand-in. */
export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const standIn = new StandIn(options);
  const server = createServer((request, response) => void standIn.handle(request, response));
  server.keepAliveTimeout = 60_000;
  const { port: asked = 0, host = '127.0.0.1' } = options;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(asked, host, 4096, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    port,
    books: () => standIn.books.statement(),
    clearBooks: () => standIn.books.clear(),
    behave: (behaviour) => (standIn.preset = behaviour),
    release: () => standIn.release(),
    close: () =>
      new Promise((resolve) => {
        standIn.batches.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class StandIn {
  readonly books = new Books();
  readonly batches = new Batches(this.books);
  readonly files = new Files();
  preset: Behaviour;
  readonly #accepts: (apiKey: string) => boolean;
  readonly #serves: (model: string) => boolean;
  readonly #observe: ((request: Received) => void) | undefined;
  readonly #held = new Set<() => void>();
  #requests = 0;

  constructor({
    behaviour = {},
    accepts = (key) => key.startsWith('sk-ant-'),
    serves = () => true,
    observe,
  }: UpstreamOptions) {
    this.preset = behaviour;
    this.#accepts = accepts;
    this.#serves = serves;
    this.#observe = observe;
  }

  release(): void {
    for (const goOn of this.#held) goOn();
    this.#held.clear();
    this.batches.release();
  }

  /** Answers any request; a mistake of the caller's becomes an error in Anthropic's form. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const requestId = `req_${(this.#requests++).toString(36).padStart(24, '0')}`;
    try {
      const path = (request.url ?? '').split('?', 1)[0] ?? '';
      const streams = path === BATCHES || path === FILES;
      const body = streams ? Buffer.alloc(0) : await read(request);
      if (path.startsWith('/v1/')) this.#observe?.(received(request, body));
      await this.#route(`${request.method} ${path}`, { request, response, requestId, body });
    } catch (error) {
      if (error instanceof Problem) sendProblem(response, requestId, error);
      else if (!request.destroyed && !response.headersSent) {
        sendProblem(response, requestId, new Problem(400, 'invalid_request_error', String(error)));
      } else response.destroy();
    }
  }

  async #route(route: string, exchange: Exchange): Promise<void> {
    const { request, response, requestId, body } = exchange;
    const send = (value: unknown) => sendJson(response, requestId, JSON.stringify(value));
    switch (route) {
      case 'POST /v1/messages':
        return this.#messages(exchange);
      case 'POST /v1/messages/count_tokens':
        this.#apiKey(request.headers);
        return this.#count(exchange);
      case 'HEAD /':
      case 'GET /':
        return send({ name: 'stand-in for the Anthropic API' });
      case 'GET /books':
        return send(this.books.statement());
      case 'GET /bills':
        return send(this.books.bills(Number(new URL(request.url ?? '', 'http://stand-in').searchParams.get('after'))));
      case 'DELETE /books':
        this.books.clear();
        return send(this.books.statement());
      case 'POST /behaviour':
        this.preset = JSON.parse(body.toString()) as Behaviour;
        return send(this.preset);
      case 'POST /release':
        this.release();
        return send({});
      default:
        if (route.includes(BATCHES)) return this.#batches(route, exchange);
        if (route.includes(FILES)) return this.files.answer(this.#apiKey(request.headers), route, exchange);
        this.#apiKey(request.headers);
        return send(models(route, new URL(request.url ?? '', 'http://stand-in').searchParams));
    }
  }

  /** What a call reads, in the words of the API. Only what belongs to a prompt may be asked about. */
  #count({ request, response, requestId, body }: Exchange): void {
    this.#apiKey(request.headers);
    const call = JSON.parse(body.toString()) as object;
    const extra = Object.keys(call).find((name) => NOT_COUNTED.includes(name));
    if (extra !== undefined) {
      throw new Problem(400, 'invalid_request_error', `${extra}: Extra inputs are not permitted`);
    }
    sendJson(response, requestId, JSON.stringify({ input_tokens: inputTokens(sizeOf(call, body)) }));
  }

  async #messages({ request, response, requestId, body }: Exchange): Promise<void> {
    const apiKey = this.#apiKey(request.headers);
    this.books.arrived(apiKey);
    if (request.headers['anthropic-version'] === undefined) {
      throw new Problem(400, 'invalid_request_error', 'anthropic-version: header is required');
    }
    const call = parseRequest(body);
    if (!this.#serves(call.model)) throw new Problem(404, 'not_found_error', `model: ${call.model}`);
    const behaviour = behaviourOf(this.preset, request.headers['x-stainless-stand-in'], call.metadata);
    const isInterleaved = String(request.headers['anthropic-beta']).includes('interleaved-thinking');
    const message = answer(requestId.replace('req_', 'msg_'), call, sizeOf(call, body), behaviour, isInterleaved);
    this.books.open += 1;
    try {
      await new Delivery({ response, requestId, message, behaviour, held: this.#held }).send(
        call.stream === true,
        (usage, whole) => {
          if (usage !== null) {
            const { model } = message;
            this.books.bill(apiKey, model, usage);
            if (behaviour.mark !== undefined)
              this.books.keep({ mark: behaviour.mark, requestId, apiKey, model }, usage);
          }
          if (!whole) this.books.aborted(apiKey);
        },
      );
    } finally {
      this.books.open -= 1;
    }
  }

  async #batches(route: string, { request, response, requestId }: Exchange): Promise<void> {
    const apiKey = this.#apiKey(request.headers);
    const { batches } = this;
    const { host = '' } = request.headers;
    const behaviour = behaviourOf(this.preset, request.headers['x-stainless-stand-in'], undefined);
    const send = (value: unknown) => sendJson(response, requestId, JSON.stringify(value));
    const [, method, id, rest] = /^(\w+) [^ ]*?batches\/?([^/]*)(\/?.*)$/.exec(route) ?? [];
    switch (`${method} ${id === '' ? '' : '{id}'}${rest}`) {
      case 'POST ':
        return this.#createBatch(apiKey, behaviour, { request, response, requestId, body: Buffer.alloc(0) });
      case 'GET ':
        return send(batches.list(apiKey, new URL(request.url ?? '', 'http://x').searchParams, host));
      case 'GET {id}':
        return send(batches.one(apiKey, id!, host));
      case 'GET {id}/results':
        return batches.results(apiKey, id!, response, behaviour);
      case 'POST {id}/cancel':
        return send(batches.cancel(apiKey, id!, host));
      case 'DELETE {id}':
        return send(batches.remove(apiKey, id!));
      default:
        throw new Problem(404, 'not_found_error', 'Not found');
    }
  }

  async #createBatch(apiKey: string, behaviour: Behaviour, { request, response, requestId }: Exchange): Promise<void> {
    const { status, error, breakAt, edge, latencyMs = 0 } = behaviour;
    if (status !== undefined) {
      for await (const _ of request);
      const { type = typeOf(status), message = `The stand-in was asked for ${status}` } = error ?? {};
      throw new Problem(status, type, message);
    }
    if (edge !== undefined && edge.runs !== true) {
      for await (const _ of request);
      return sendEdge(response, edge);
    }
    const batch = await this.batches.create(apiKey, request, behaviour, request.headers.host ?? '');
    await sleep(latencyMs);
    if (edge !== undefined) return sendEdge(response, edge);
    if (breakAt === 'Head') response.socket?.resetAndDestroy();
    else sendJson(response, requestId, JSON.stringify(batch));
  }

  #apiKey(headers: IncomingHttpHeaders): string {
    const key = headers['x-api-key'] ?? headers.authorization?.replace(/^Bearer /i, '');
    if (typeof key !== 'string') throw new Problem(401, 'authentication_error', 'x-api-key header is required');
    if (!this.#accepts(key)) throw new Problem(401, 'authentication_error', 'invalid x-api-key');
    return key;
  }
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  requestId: string;
  body: Buffer;
}

const NOT_COUNTED = ['max_tokens', 'stream', 'metadata', 'stop_sequences', 'temperature', 'service_tier'];

/** The bytes of a body as if all of it were text, four to a token. */
function sizeOf(call: unknown, body: Buffer): number {
  const { bytes, tokens } = mediaOf(call);
  return body.length - bytes + 4 * tokens;
}

function received({ method = '', url = '', headers }: IncomingMessage, body: Buffer): Received {
  return { method, url, headers, body };
}

function read(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= BODY_LIMIT) chunks.push(chunk);
    });
    request.on('end', () => {
      if (size > BODY_LIMIT) reject(new Problem(413, 'request_too_large', 'Request exceeds the maximum size'));
      else resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
    });
    request.on('error', reject);
  });
}
