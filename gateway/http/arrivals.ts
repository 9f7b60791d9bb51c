import type { IncomingMessage, ServerResponse } from 'node:http';

/** How long a request may bring less than MIN_BYTES before it is ended. Milliseconds. */
const WINDOW_MS = 300_000;
const MIN_BYTES = 16 * 1024;
/** How often the requests are looked at in this time. */
const LOOKS = 10;

interface Arrival {
  readonly res: ServerResponse;
  /** Bytes of its connection, and when there were so many. */
  bytes: number;
  since: number;
}

/**
 * The requests that are arriving. A body may take any time as long as its bytes flow, so that a slow link carries a large
 * batch; one that stops, or only trickles, is ended. A request that is answered already may take one such time in all.
 */
export class Arrivals {
  readonly #elapsed: () => number;
  readonly #windowMs: number;
  readonly #arriving = new Map<IncomingMessage, Arrival>();
  readonly #timer: NodeJS.Timeout;

  constructor(elapsed: () => number, windowMs: number = WINDOW_MS) {
    this.#elapsed = elapsed;
    this.#windowMs = windowMs;
    this.#timer = setInterval(() => this.#look(), windowMs / LOOKS).unref();
  }

  begin(req: IncomingMessage, res: ServerResponse): void {
    this.#arriving.set(req, { res, bytes: req.socket.bytesRead, since: this.#elapsed() });
  }

  /** Forgets a request that has arrived; one that is answered early is still watched. */
  end(req: IncomingMessage): void {
    if (req.complete) this.#arriving.delete(req);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = this.#elapsed();
    for (const [req, arrival] of this.#arriving) {
      const { bytesRead } = req.socket;
      if (req.complete || req.destroyed) this.#arriving.delete(req);
      else if (bytesRead - arrival.bytes >= MIN_BYTES && !arrival.res.writableEnded) {
        Object.assign(arrival, { bytes: bytesRead, since: now });
      } else if (now - arrival.since >= this.#windowMs) {
        this.#arriving.delete(req);
        req.destroy();
      }
    }
  }
}
