import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Refusal } from '../policy/refusals.ts';
import { headersDown, type RawHeaders } from './headers.ts';
import { type Metered, meterAnswer, StreamMeter, UNMETERED } from './meter.ts';
import { plainly } from './refuse.ts';

/** A call on its way up. */
export interface Sending {
  readonly upstream: Dispatcher;
  readonly path: string;
  readonly headers: RawHeaders;
  readonly body: Buffer;
  /** Where the answer goes. */
  readonly res: ServerResponse;
  /** What happens upstream when the caller leaves. */
  readonly onAbort: 'Cancel' | 'Drain';
  /** The answer's headers have come. */
  readonly onAnswer: (status: number, headers: IncomingHttpHeaders) => void;
  /** Headers of ours for an answer that is passed on as it comes. */
  readonly streamHeaders: () => RawHeaders;
  /** Headers of ours for an answer that was read whole. */
  readonly answerHeaders: (metered: Metered) => RawHeaders;
}

/** How a call ended, which decides what is booked. */
export type Ending =
  /** Nothing of it reached the upstream. */
  | { readonly kind: 'NeverSent' }
  /** Answered with an error status, which was passed on as it came. */
  | { readonly kind: 'ErrorStatus' }
  | { readonly kind: 'Answered'; readonly metered: Metered }
  /** The connection broke or timed out after the call was sent. */
  | { readonly kind: 'Broken'; readonly metered: Metered; readonly timedOut: boolean }
  /** The caller left, and the call was ended upstream. */
  | { readonly kind: 'Cancelled'; readonly metered: Metered };

/** Sends a call and passes its answer on. Never rejects; where the answer never began, it is the caller's to give one. */
export function forward(sending: Sending): Promise<Ending> {
  return new Promise((resolve) => {
    const { upstream, path, headers, body } = sending;
    upstream.dispatch({ path, method: 'POST', headers, body }, new Passage(sending, resolve));
  });
}

/** What the gateway answers where the upstream began no answer. */
export function unanswered(ending: Ending): Refusal {
  return plainly(ending.kind === 'Broken' && ending.timedOut ? 'UpstreamTimeout' : 'UpstreamUnreachable');
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** What becomes of an answer's bytes: passed on as they come, or gathered because headers depend on them. */
type Form = 'Error' | 'Stream' | 'Whole';

class Passage implements Dispatcher.DispatchHandler {
  readonly #sending: Sending;
  readonly #res: ServerResponse;
  readonly #resolve: (ending: Ending) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #isSent = false;
  #hasLeft = false;
  /** The body has begun to go down. */
  #flows = false;
  #form: Form | null = null;
  #status = 0;
  #headers: RawHeaders = [];
  #stream: StreamMeter | null = null;
  #chunks: Buffer[] = [];

  constructor(sending: Sending, resolve: (ending: Ending) => void) {
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
    if (this.#form === 'Whole') return;
    if (this.#form === 'Stream') {
      this.#stream = new StreamMeter();
      this.#headers.push(...this.#sending.streamHeaders());
    }
    if (this.#hasLeft) return;
    this.#res.writeHead(status, this.#headers);
    // Headers go in one write with the body's first bytes where those came along, and do not wait for them otherwise.
    process.nextTick(this.#flush);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#form === 'Whole') {
      this.#chunks.push(chunk);
      return;
    }
    this.#flows = true;
    this.#stream?.write(chunk);
    if (!this.#hasLeft && !this.#res.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#form === 'Error') {
      this.#res.end();
      return this.#end({ kind: 'ErrorStatus' });
    }
    const metered = this.#form === 'Stream' ? this.#finishStream() : this.#finishWhole();
    this.#end({ kind: 'Answered', metered });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#end(this.#endingOf(error));
    // The caller must not take a torn answer for a whole one.
    if (this.#res.headersSent) this.#res.destroy();
  }

  #finishStream(): Metered {
    this.#res.end();
    return this.#stream!.end();
  }

  #finishWhole(): Metered {
    const body = Buffer.concat(this.#chunks);
    const metered = meterAnswer(body);
    if (this.#hasLeft) return metered;
    const ours = [...this.#sending.answerHeaders(metered), 'content-length', String(body.length)];
    this.#res.writeHead(this.#status, [...this.#headers, ...ours]);
    this.#res.end(body);
    return metered;
  }

  #endingOf(error: Error): Ending {
    if (!this.#isSent) return { kind: 'NeverSent' };
    if (this.#form === 'Error') return { kind: 'ErrorStatus' };
    const metered = this.#stream?.end() ?? UNMETERED;
    if (this.#hasLeft && this.#sending.onAbort === 'Cancel') return { kind: 'Cancelled', metered };
    const timedOut = 'code' in error && TIMEOUTS.has(String(error.code));
    return { kind: 'Broken', metered, timedOut };
  }

  #end(ending: Ending): void {
    this.#res.off('close', this.#onClose);
    this.#res.off('drain', this.#onDrain);
    this.#resolve(ending);
  }

  readonly #flush = (): void => {
    if (!this.#flows && !this.#res.writableEnded && !this.#res.destroyed) this.#res.flushHeaders();
  };

  readonly #onClose = (): void => {
    if (this.#res.writableFinished) return;
    this.#hasLeft = true;
    // A whole answer that has begun is finished upstream already: its usage is a few bytes away.
    const readsOn = this.#form !== 'Error' && (this.#form === 'Whole' || this.#sending.onAbort === 'Drain');
    if (readsOn) this.#controller?.resume();
    else this.#controller?.abort(new Error('the caller left'));
  };

  readonly #onDrain = (): void => {
    this.#controller?.resume();
  };
}

function formOf(status: number, headers: IncomingHttpHeaders): Form {
  if (status >= 300) return 'Error';
  return headers['content-type']?.startsWith('text/event-stream') === true ? 'Stream' : 'Whole';
}
