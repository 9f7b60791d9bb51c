import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import { Server as NetServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Express } from 'express';
import type { Logger } from 'pino';
import { browserNotAllowed, notServed } from '../../policy/refusals/refusal-sentences.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import { Arrivals } from './arrivals.ts';
import type { BrowserAccess } from './browser-access.ts';
import type { ByteQuota } from './byte-quota.ts';
import { type Clocks, ReceivedCall } from './call.ts';
import type { KeyPair } from './certificate.ts';
import type { HeadersDown } from './headers-down.ts';
import { type Endpoint, type Route, routeOf } from './route.ts';
import { refuse } from './send-refusal.ts';

/** The keep-alive time that answers announce. Milliseconds. */
const KEEP_ALIVE_MS = 10_000;
/** How much longer an idle connection really stays open. Load balancers keep theirs for less, so they close it first. Milliseconds. */
const KEEP_ALIVE_BUFFER_MS = 65_000;
/** How long the headers of a request may take. Milliseconds. */
const HEADERS_MS = 60_000;
/** A connection without any traffic for this long is closed: longer than the gateway waits for any upstream. Milliseconds. */
const IDLE_MS = 660_000;
/** How many connections may wait to be accepted: as many as Linux allows, for bursts of thousands of callers. */
const BACKLOG = 4096;

/** How a gateway shuts down. Milliseconds. */
export interface Draining {
  /** How long it still serves new calls, because the cluster needs a while to send callers elsewhere. */
  readonly shutdownDelayMs: number;
  /** How long requests that have begun to arrive may still take; Node itself would wait for ever. */
  readonly arrivalMs: number;
}

export type Serve = (call: ReceivedCall) => Promise<void>;

type ApiEndpoint = Exclude<Endpoint, 'Probe'>;

interface Parts extends Pick<Clocks, 'elapsed'> {
  readonly endpoints: Readonly<Record<ApiEndpoint, Serve>>;
  /** Null if it has a port of its own. */
  readonly adminApp: Express | null;
  /** Null if callers come without TLS. */
  readonly certificate: KeyPair | null;
  readonly bodyMemory: ByteQuota;
  readonly headersDown: HeadersDown;
  readonly browserAccess: BrowserAccess;
  readonly logger: Logger;
  readonly newId: () => string;
  /** As in Arrivals. */
  readonly arrivalWindowMs: number | undefined;
}

const ADMIN_PATHS = new Set(['/healthz', '/readyz', '/metrics']);

/** The gateway's HTTP server: routes calls and knows which are under way. */
export class Gateway {
  readonly server: Server | TlsServer;
  readonly #parts: Parts;
  readonly #open = new Map<ReceivedCall, Promise<unknown>>();
  readonly #arrivals: Arrivals;
  #isLeaving = false;
  #isClosed = false;
  /** When a call last ended, by the monotonic clock. Milliseconds. */
  #endedAt = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#arrivals = new Arrivals(parts.elapsed, parts.arrivalWindowMs);
    const { certificate } = parts;
    const options = {
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveTimeoutBuffer: KEEP_ALIVE_BUFFER_MS,
      headersTimeout: HEADERS_MS,
      requestTimeout: 0, // a limit for whole bodies would cut large ones on slow links: see Arrivals
    };
    const handle = (req: IncomingMessage, res: ServerResponse): void => this.#handle(req, res);
    this.server =
      certificate === null ? createServer(options, handle) : createTlsServer({ ...options, ...certificate }, handle);
    this.server.setTimeout(IDLE_MS);
  }

  /** Resolves to the port. */
  listen(port: number): Promise<number> {
    return listen(this.server, port);
  }

  /** Uses another certificate for new connections; open ones stay. */
  show(certificate: KeyPair): void {
    if (this.server instanceof TlsServer) this.server.setSecureContext(certificate);
  }

  /**
   * Serves on for a while, closing each connection with its next answer, then accepts nothing more. Resolves when every
   * call under way is answered, and settled or kept for settling.
   */
  async drain({ shutdownDelayMs, arrivalMs }: Draining): Promise<void> {
    this.#isLeaving = true;
    await sleep(shutdownDelayMs);
    // The HTTP server's own close would also end each idle connection, and so cut requests that are on their way: a
    // client that has just got an answer counts on its connection.
    const closed = new Promise((resolve) => NetServer.prototype.close.call(this.server, resolve));
    const arrivalTimer = setTimeout(() => this.#close(), arrivalMs);
    await this.#quiet(Math.min(shutdownDelayMs, KEEP_ALIVE_MS));
    clearTimeout(arrivalTimer);
    // The remaining connections are idle or have not sent a complete request.
    this.server.closeAllConnections();
    this.#arrivals.stop();
    await closed;
  }

  /** Resolves when no call has been under way for that long. Milliseconds. */
  async #quiet(forMs: number): Promise<void> {
    for (;;) {
      while (this.#open.size > 0) await Promise.all(this.#open.values());
      const left = this.#endedAt + forMs - this.#parts.elapsed();
      if (left <= 0) return;
      await sleep(left);
    }
  }

  #handle(req: IncomingMessage, res: ServerResponse): void {
    const url = req.url ?? '';
    const { adminApp } = this.#parts;
    if (this.#isLeaving) res.shouldKeepAlive = false;
    this.#arrivals.begin(req, res);
    res.once('close', () => this.#arrivals.end(req));
    if (adminApp !== null && ADMIN_PATHS.has(url)) return void adminApp(req, res);
    const { method = '', headers } = req;
    const admitted = this.#parts.browserAccess.admit(req, res);
    if (admitted === 'Answered') return;
    if (admitted === 'Refused') return this.#notFound(res, browserNotAllowed(headers.origin ?? ''));
    const route = routeOf(method, url);
    if (route === null) return this.#notFound(res, notServed(method, url.split('?', 1)[0]!));
    if (route.endpoint === 'Probe') return void res.writeHead(200, { 'content-length': 0 }).end();
    if (this.#isClosed) this.#refuse(res, refusalFor('ShuttingDown'));
    else this.#serve(req, res, route, route.endpoint);
  }

  #serve(req: IncomingMessage, res: ServerResponse, route: Route, endpoint: ApiEndpoint): void {
    const { endpoints, bodyMemory, headersDown, newId, elapsed } = this.#parts;
    const memory = bodyMemory.open();
    const call = new ReceivedCall(req, res, route, { id: newId(), arrived: elapsed(), memory, headersDown });
    const answered = new Promise((resolve) => res.once('close', resolve));
    const served = endpoints[endpoint](call)
      .catch((error: unknown) => this.#fail(call, error))
      .then(() => answered)
      .finally(() => {
        memory.close();
        this.#open.delete(call);
        this.#endedAt = elapsed();
      });
    this.#open.set(call, served);
  }

  #close(): void {
    this.#isClosed = true;
    for (const { req } of this.#open.keys()) if (!req.complete) req.destroy();
  }

  #notFound(res: ServerResponse, message: string): void {
    this.#refuse(res, { reason: 'NotFound', message });
  }

  #refuse(res: ServerResponse, refusal: Refusal): void {
    refuse(res, refusal, `req_${this.#parts.newId()}`);
  }

  /** A bug in the gateway ends this call only. */
  #fail({ id, res }: ReceivedCall, error: unknown): void {
    this.#parts.logger.error({ id, err: error }, 'a call failed');
    res.destroy();
  }
}

/** Resolves to the port that the server listens on. */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, backlog: BACKLOG }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
