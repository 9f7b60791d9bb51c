import type { ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { RawHeaders } from '../http/headers.ts';

/** Writes an answer to the caller. Writes nothing once the caller has left. */
export interface AnswerWriter {
  /** At some time the caller read more slowly than the upstream wrote. */
  readonly wasHeldUp: boolean;
  /** The writer keeps the chunk; `controller` is paused while the caller cannot take more. */
  write(chunk: Buffer, controller: Dispatcher.DispatchController): void;
  /** The upstream has finished its answer. */
  end(): void;
  /** The upstream's answer broke off. */
  fail(): void;
}

/** Writes every chunk as it comes. */
export class StreamingWriter implements AnswerWriter {
  readonly #res: ServerResponse;
  #paused: Dispatcher.DispatchController | null = null;
  #hasBody = false;
  wasHeldUp = false;

  constructor(res: ServerResponse, status: number, headers: RawHeaders) {
    this.#res = res;
    if (res.destroyed) return;
    res.on('drain', this.#resume);
    // Without this, a paused upstream would never be read to its end after its caller left.
    res.on('close', this.#resume);
    res.writeHead(status, headers);
    // The headers share a packet with the first chunk if it comes at once; otherwise they must not wait for it.
    process.nextTick(this.#flushHeaders);
  }

  write(chunk: Buffer, controller: Dispatcher.DispatchController): void {
    if (this.#res.destroyed) return;
    this.#hasBody = true;
    if (this.#res.write(chunk)) return;
    // Without back-pressure, the answer to a slow caller would pile up in memory.
    this.wasHeldUp = true;
    this.#paused = controller;
    controller.pause();
  }

  end(): void {
    this.#detach();
    this.#res.end();
  }

  /** Closes the connection: the caller must not take a torn answer for a complete one. */
  fail(): void {
    this.#detach();
    this.#res.destroy();
  }

  #detach(): void {
    this.#res.off('drain', this.#resume);
    this.#res.off('close', this.#resume);
  }

  readonly #resume = (): void => {
    const paused = this.#paused;
    // First, because resume() reads at once and may pause again before it returns.
    this.#paused = null;
    paused?.resume();
  };

  readonly #flushHeaders = (): void => {
    if (!this.#hasBody && !this.#res.writableEnded && !this.#res.destroyed) this.#res.flushHeaders();
  };
}

/** Writes nothing: the caller gets a refusal of ours instead. */
export const NO_WRITER: AnswerWriter = {
  wasHeldUp: false,
  write: () => undefined,
  end: () => undefined,
  fail: () => undefined,
};

/** The largest answer that is collected: the text of the longest has half of it. Bytes. */
const MAX_COLLECTED = 1024 * 1024;

/**
 * Collects the chunks and writes them at the end, behind headers that say what the answer cost. A larger answer is passed
 * on as it comes, without them, so that memory has a bound: its cost is in the usage log.
 */
export class CollectingWriter implements AnswerWriter {
  readonly #res: ServerResponse;
  readonly #status: number;
  readonly #headers: RawHeaders;
  readonly #costHeaders: () => RawHeaders;
  #chunks: Buffer[] = [];
  #collected = 0;
  #streaming: StreamingWriter | null = null;

  /** `costHeaders` is asked once the answer has ended. */
  constructor(res: ServerResponse, status: number, headers: RawHeaders, costHeaders: () => RawHeaders) {
    this.#res = res;
    this.#status = status;
    this.#headers = headers;
    this.#costHeaders = costHeaders;
  }

  get wasHeldUp(): boolean {
    return this.#streaming?.wasHeldUp ?? false;
  }

  write(chunk: Buffer, controller: Dispatcher.DispatchController): void {
    if (this.#streaming !== null) return this.#streaming.write(chunk, controller);
    this.#chunks.push(chunk);
    this.#collected += chunk.length;
    if (this.#collected <= MAX_COLLECTED) return;
    this.#streaming = new StreamingWriter(this.#res, this.#status, this.#headers);
    this.#streaming.write(Buffer.concat(this.#chunks), controller);
    this.#chunks = [];
  }

  end(): void {
    if (this.#streaming !== null) return this.#streaming.end();
    if (this.#res.destroyed) return;
    const body = Buffer.concat(this.#chunks);
    const headers = [...this.#headers, ...this.#costHeaders(), 'content-length', String(body.length)];
    this.#res.writeHead(this.#status, headers);
    this.#res.end(body);
  }

  /** If nothing was written yet, the gateway can still answer with a refusal. */
  fail(): void {
    this.#streaming?.fail();
  }
}
