import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Refusal } from '../../policy/core/refusals.ts';
import { headersDown, type RawHeaders } from '../http/headers.ts';
import { refusalFor } from '../http/send-refusal.ts';
import { type ContentDecoder, decoderOf } from './content-decoder.ts';
import { type Metered, meterAnswer, readErrorType, StreamMeter, UNMETERED } from './meter.ts';

/** A call on its way up. */
export interface Sending {
  readonly upstream: Dispatcher;
  readonly path: string;
  readonly headers: RawHeaders;
  readonly body: Buffer;
  /** Where the answer goes. */
  readonly res: ServerResponse;
  /** What happens upstream when the caller leaves: see `Leaving`. */
  readonly onAbort: AbortPolicy;
  /** Whether a stream was asked for. */
  readonly stream: boolean;
  /** The monotonic clock. Milliseconds. */
  readonly elapsed: () => number;
  /** The answer's headers have come. */
  readonly onAnswer: (status: number, headers: IncomingHttpHeaders) => void;
  /** Headers of ours for an answer that is passed on as it comes. */
  readonly streamHeaders: () => RawHeaders;
  /** Headers of ours for an answer that was read whole. */
  readonly answerHeaders: (metered: Metered) => RawHeaders;
}

/**
 * What happens upstream to a call whose caller left. `Cancel`: a stream is ended once it has said what its prompt costs;
 * an answer that comes whole says what it costs only at its end, so it is read, and so is a stream that the caller has
 * held up. `Drain`: it is read to its end in either
 * form. `Drop`: it costs nothing, so it is ended at once.
 */
export type AbortPolicy = 'Cancel' | 'Drain' | 'Drop';

/** How many pieces of an error's body are kept: it is short and comes in one. */
const ERROR_CHUNKS = 4;

/** How long a stream whose caller left may take to begin before it is cancelled all the same. Milliseconds. */
const BEGIN_MS = 10_000;

/** How a call ended, which decides what is booked. */
export type ForwardEnd =
  /** Nothing of it reached the upstream. */
  | { readonly kind: 'NeverSent' }
  /** Answered with an error status, which was passed on as it came. */
  | { readonly kind: 'ErrorStatus'; readonly errorType: string | null }
  | { readonly kind: 'Answered'; readonly metered: Metered }
  /** The connection broke or timed out after the call was sent, and not by us. */
  | { readonly kind: 'Broken'; readonly metered: Metered; readonly timedOut: boolean }
  /** The caller left, and the call was ended upstream. */
  | { readonly kind: 'Cancelled'; readonly metered: Metered };

/** Sends a call and passes its answer on. Never rejects; where the answer never began, it is the caller's to give one. */
export function forward(sending: Sending): Promise<ForwardEnd> {
  return new Promise((resolve) => {
    const { upstream, path, headers, body } = sending;
    upstream.dispatch({ path, method: 'POST', headers, body }, new Passage(sending, resolve));
  });
}

/** What the gateway answers where the upstream began no answer. */
export function unanswered(ending: ForwardEnd): Refusal {
  return refusalFor(ending.kind === 'Broken' && ending.timedOut ? 'UpstreamTimeout' : 'UpstreamUnreachable');
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** What becomes of an answer's bytes: passed on as they come, or gathered because headers depend on them. */
type Form = 'Error' | 'Stream' | 'Whole';

class Passage implements Dispatcher.DispatchHandler {
  readonly #sending: Sending;
  readonly #res: ServerResponse;
  readonly #resolve: (ending: ForwardEnd) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #isSent = false;
  #hasLeft = false;
  #isCancelled = false;
  #beginning: NodeJS.Timeout | undefined;
  /** The body has begun to go down. */
  #flows = false;
  /** The caller has read more slowly than the upstream wrote, which may be far ahead of what was seen. */
  #wasHeldUp = false;
  #form: Form | null = null;
  #status = 0;
  #headers: RawHeaders = [];
  #stream: StreamMeter | null = null;
  /** Of an answer that comes whole: its bytes, and what they say. */
  #chunks: Buffer[] = [];
  #plain: Buffer[] = [];
  #decoder: ContentDecoder | null = null;

  constructor(sending: Sending, resolve: (ending: ForwardEnd) => void) {
    this.#sending = sending;
    this.#res = sending.res;
    this.#resolve = resolve;
    this.#res.on('close', this.#onClose);
    this.#res.on('drain', this.#onDrain);
    if (this.#res.destroyed) this.#hasLeft = true;
  }

  /** Called right before the first byte is written to a connection: from here on the call may be billed. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#hasLeft) controller.abort(new Error('the caller left'));
    else this.#isSent = true;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    this.#status = status;
    this.#headers = headersDown(headers);
    this.#form = formOf(status, headers);
    this.#sending.onAnswer(status, headers);
    if (this.#form !== 'Error') this.#decoder = decoderOf(headers['content-encoding'], this.#onPlain);
    if (this.#form === 'Whole') return;
    if (this.#form === 'Stream') {
      this.#stream = new StreamMeter(this.#sending.elapsed);
      this.#headers.push(...this.#sending.streamHeaders());
    }
    if (this.#hasLeft) return;
    this.#res.writeHead(status, this.#headers);
    // Headers go in one write with the body's first bytes where those came along, and do not wait for them otherwise.
    process.nextTick(this.#flush);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#decoder?.write(chunk);
    if (this.#form === 'Whole') {
      this.#chunks.push(chunk);
      return;
    }
    this.#flows = true;
    if (this.#form === 'Error') this.#keep(chunk);
    if (this.#hasLeft) this.#leaveStream();
    else if (!this.#res.write(chunk)) {
      this.#wasHeldUp = true;
      controller.pause();
    }
  }

  onResponseEnd(): void {
    if (this.#form === 'Error') {
      this.#res.end();
      return this.#end(() => this.#errorStatus());
    }
    if (this.#form === 'Stream') this.#res.end();
    this.#end(() => {
      const metered = this.#form === 'Stream' ? this.#stream!.end() : this.#finishWhole();
      return { kind: 'Answered', metered };
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(() => this.#endingOf(error));
    // The caller must not take a torn answer for a whole one.
    if (this.#res.headersSent) this.#res.destroy();
  }

  /** Enough of an error's body to find its type. */
  #keep(chunk: Buffer): void {
    if (this.#chunks.length < ERROR_CHUNKS) this.#chunks.push(chunk);
  }

  #errorStatus(): ForwardEnd {
    return { kind: 'ErrorStatus', errorType: readErrorType(Buffer.concat(this.#chunks)) };
  }

  #finishWhole(): Metered {
    const body = Buffer.concat(this.#chunks);
    const metered = meterAnswer(Buffer.concat(this.#plain));
    if (this.#hasLeft || this.#res.destroyed) return metered;
    const ours = [...this.#sending.answerHeaders(metered), 'content-length', String(body.length)];
    this.#res.writeHead(this.#status, [...this.#headers, ...ours]);
    this.#res.end(body);
    return metered;
  }

  #endingOf(error: Error): ForwardEnd {
    if (!this.#isSent) return { kind: 'NeverSent' };
    if (this.#form === 'Error') return this.#errorStatus();
    const metered = this.#stream?.end() ?? UNMETERED;
    if (this.#isCancelled) return { kind: 'Cancelled', metered };
    const timedOut = 'code' in error && TIMEOUTS.has(String(error.code));
    return { kind: 'Broken', metered, timedOut };
  }

  /** The upstream is done; what its answer comes to is known once all that can be read of it was. */
  #end(ending: () => ForwardEnd): void {
    clearTimeout(this.#beginning);
    this.#res.off('close', this.#onClose);
    this.#res.off('drain', this.#onDrain);
    if (this.#decoder === null) this.#conclude(ending);
    else this.#decoder.end(() => this.#conclude(ending));
  }

  /** An answer that cannot even be read, because it is longer than any text, is one that broke off. */
  #conclude(ending: () => ForwardEnd): void {
    try {
      this.#resolve(ending());
    } catch {
      this.#res.destroy();
      this.#resolve({ kind: 'Broken', metered: UNMETERED, timedOut: false });
    }
  }

  readonly #onPlain = (bytes: Buffer): void => {
    if (this.#stream === null) this.#plain.push(bytes);
    else this.#stream.write(bytes);
  };

  readonly #flush = (): void => {
    if (!this.#flows && !this.#res.writableEnded && !this.#res.destroyed) this.#res.flushHeaders();
  };

  readonly #onClose = (): void => {
    if (this.#res.writableFinished) return;
    this.#hasLeft = true;
    this.#controller?.resume();
    if (this.#form === 'Error' || this.#sending.onAbort === 'Drop') this.#cancel();
    else this.#leaveStream();
  };

  /** Under `Cancel`, ends a stream that nobody reads any more, as soon as it has begun. */
  #leaveStream(): void {
    const { onAbort, stream } = this.#sending;
    if (onAbort !== 'Cancel' || this.#wasHeldUp || !(this.#form === null ? stream : this.#form === 'Stream')) return;
    if (this.#stream?.hasBegun === true) this.#cancel();
    else this.#beginning ??= setTimeout(() => this.#cancel(), BEGIN_MS);
  }

  #cancel(): void {
    this.#isCancelled = true;
    this.#controller?.abort(new Error('the caller left'));
  }

  readonly #onDrain = (): void => {
    this.#controller?.resume();
  };
}

function formOf(status: number, headers: IncomingHttpHeaders): Form {
  if (status >= 300) return 'Error';
  return headers['content-type']?.startsWith('text/event-stream') === true ? 'Stream' : 'Whole';
}
