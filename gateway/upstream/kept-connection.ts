import type { Socket } from 'node:net';
import { type buildConnector, Client, type Dispatcher } from 'undici';

/**
 * A connection that had served other calls ended without a byte of this call's answer: mostly the other side had closed it
 * as idle just before the call arrived there.
 */
export class StaleConnection extends Error {
  override readonly name = 'StaleConnection';
}

/** How a connection ends if the other side, or something in between, closes or resets it. No time-out, nor an abort. */
const ENDS = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

interface Connection {
  readonly socket: Socket;
  /** How many calls it has been used for. */
  calls: number;
}

/** Null while there is none. */
interface Current {
  connection: Connection | null;
}

/** One of a pool's clients, which has one connection at a time. A call that meets a stale one fails with StaleConnection. */
export class KeptClient extends Client {
  readonly #current: Current;

  constructor(origin: URL | string, options: Client.Options & { readonly connect: buildConnector.connector }) {
    const current: Current = { connection: null };
    const connect: buildConnector.connector = (to, callback) => {
      // A connection that cannot be made is a new one.
      current.connection = null;
      options.connect(to, (...[error, socket]) => {
        if (error !== null) return callback(error, null);
        current.connection = { socket, calls: 0 };
        callback(null, socket);
      });
    };
    super(origin, { ...options, connect });
    this.#current = current;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return super.dispatch(options, new KeptHandler(this.#current, handler));
  }
}

/** Hands everything on, and tells a stale connection from other errors. */
class KeptHandler implements Dispatcher.DispatchHandler {
  readonly #current: Current;
  readonly #handler: Dispatcher.DispatchHandler;
  /** The connection that the call was sent on, and what had been read from it; null before. Bytes. */
  #sent: { readonly socket: Socket; readonly isReused: boolean; readonly bytesRead: number } | null = null;

  constructor(current: Current, handler: Dispatcher.DispatchHandler) {
    this.#current = current;
    this.#handler = handler;
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    const { socket, calls } = this.#current.connection!;
    this.#sent = { socket, isReused: calls > 0, bytesRead: socket.bytesRead };
    this.#current.connection!.calls += 1;
    this.#handler.onRequestStart?.(controller, context);
  }

  onResponseStart(...answer: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseStart']>>): void {
    this.#handler.onResponseStart?.(...answer);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(...end: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>): void {
    this.#handler.onResponseEnd?.(...end);
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    const isStale = 'code' in error && ENDS.has(String(error.code)) && this.#isUnanswered();
    const said = isStale ? new StaleConnection(error.message, { cause: error }) : error;
    this.#handler.onResponseError?.(controller, said);
  }

  /** A call may fail before it is sent: the connection ends while undici looks whether it still stands. */
  #isUnanswered(): boolean {
    if (this.#sent === null) return (this.#current.connection?.calls ?? 0) > 0;
    const { socket, isReused, bytesRead } = this.#sent;
    return isReused && socket.bytesRead === bytesRead;
  }
}
