import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type Refusal, refusalFor } from '../../policy/core/refusals.ts';
import type { Clocks } from '../http/call.ts';
import { headersDown, type RawHeaders } from '../http/headers.ts';
import { AbortPolicy, type AnswerProgress, type OnAbort } from './abort-policy.ts';
import { type AnswerWriter, CollectingWriter, StreamingWriter } from './answer-writer.ts';
import { type AnswerForm, answerForm, MeterTap } from './meter-tap.ts';
import { type Metered, UNMETERED } from './meter.ts';

export interface UpstreamCall extends Pick<Clocks, 'elapsed'> {
  readonly upstream: Dispatcher;
  readonly path: string;
  readonly headers: RawHeaders;
  /** One after the other. */
  readonly body: readonly Buffer[];
  readonly res: ServerResponse;
  readonly onAbort: OnAbort;
  readonly stream: boolean;
  readonly onAnswer: (status: number, headers: IncomingHttpHeaders) => void;
  /** The gateway's own headers for an answer that is streamed. */
  readonly streamHeaders: () => RawHeaders;
  /** The gateway's own headers for an answer that was read whole. */
  readonly answerHeaders: (metered: Metered) => RawHeaders;
}

/** How a call ended, which decides what is settled. */
export type ForwardEnd =
  /** Nothing of it reached the upstream. */
  | { readonly kind: 'NeverSent' }
  /** Answered with an error status, which was passed on as it came. */
  | { readonly kind: 'ErrorStatus'; readonly errorType: string | null }
  | { readonly kind: 'Answered'; readonly metered: Metered }
  /** The connection broke or timed out after the call was sent, and not by us. */
  | { readonly kind: 'Broken'; readonly metered: Metered; readonly timedOut: boolean }
  /** The caller left, and the call was cancelled upstream. */
  | { readonly kind: 'Cancelled'; readonly metered: Metered };

/** Sends a call and passes its answer on. Never rejects. If no answer began, the caller still waits for one. */
export function forward(call: UpstreamCall): Promise<ForwardEnd> {
  return new Promise((resolve) => {
    const { upstream, path, headers, body } = call;
    const request = { path, method: 'POST', ...sent(headers, body) } as const;
    upstream.dispatch(request, new UpstreamHandler(call, resolve));
  });
}

/** A body of several parts, as a stream that joins nothing: it may have megabytes. */
export function sent(
  headers: RawHeaders,
  parts: readonly Buffer[],
): { readonly headers: RawHeaders; readonly body: Buffer | Readable } {
  if (parts.length === 1) return { headers, body: parts[0]! };
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return { headers: [...headers, 'content-length', String(length)], body: Readable.from(parts) };
}

/** What the gateway answers if the upstream began no answer. */
export function unanswered(ending: ForwardEnd): Refusal {
  return refusalFor(ending.kind === 'Broken' && ending.timedOut ? 'UpstreamTimeout' : 'UpstreamUnreachable');
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** An answer whose headers have come: each chunk goes to the meter and to the caller. */
interface Answer {
  readonly form: AnswerForm;
  readonly tap: MeterTap;
  readonly writer: AnswerWriter;
}

/** Connects the parts that handle one call: meter tap, writer and abort policy. */
class UpstreamHandler implements Dispatcher.DispatchHandler {
  readonly #call: UpstreamCall;
  readonly #resolve: (end: ForwardEnd) => void;
  readonly #abort: AbortPolicy;
  #answer: Answer | null = null;
  #isSent = false;

  constructor(call: UpstreamCall, resolve: (end: ForwardEnd) => void) {
    this.#call = call;
    this.#resolve = resolve;
    this.#abort = new AbortPolicy(call.onAbort, call.stream, call.res.destroyed);
    call.res.on('close', this.#onClose);
  }

  /** Called right before the first byte is written to a connection: from here on the call may be billed. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    // It stays true if undici begins a request again: what was sent once may be billed.
    const mayGo = this.#abort.begin(controller);
    this.#isSent ||= mayGo;
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    const { onAnswer, elapsed } = this.#call;
    onAnswer(status, headers);
    const form = answerForm(status, headers);
    const tap = new MeterTap(form, headers['content-encoding'], elapsed);
    this.#answer = { form, tap, writer: this.#writerOf(form, status, headersDown(headers)) };
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { tap, writer } = this.#answer!;
    tap.write(chunk);
    writer.write(chunk, controller);
    this.#abort.advance(this.#progress);
  }

  onResponseEnd(): void {
    const { form, tap, writer } = this.#answer!;
    this.#end(tap, () => {
      const metered = tap.read(true);
      writer.end(metered);
      return form === 'Error' ? errorStatus(metered) : { kind: 'Answered', metered };
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const answer = this.#answer;
    this.#end(answer?.tap, () => this.#brokenEnd(error, answer));
    answer?.writer.fail();
  }

  #writerOf(form: AnswerForm, status: number, headers: RawHeaders): AnswerWriter {
    const { res, streamHeaders, answerHeaders } = this.#call;
    if (form === 'Whole') return new CollectingWriter(res, status, headers, answerHeaders);
    return new StreamingWriter(res, status, form === 'Stream' ? [...headers, ...streamHeaders()] : headers);
  }

  #brokenEnd(error: Error, answer: Answer | null): ForwardEnd {
    if (!this.#isSent) return { kind: 'NeverSent' };
    const metered = answer?.tap.read(false) ?? UNMETERED;
    if (answer?.form === 'Error') return errorStatus(metered);
    if (this.#abort.isCancelled) return { kind: 'Cancelled', metered };
    const timedOut = 'code' in error && TIMEOUTS.has(String(error.code));
    return { kind: 'Broken', metered, timedOut };
  }

  /** The upstream is done; `end` is asked once the meter has read all that it can. */
  #end(tap: MeterTap | undefined, end: () => ForwardEnd): void {
    this.#abort.stop();
    this.#call.res.off('close', this.#onClose);
    if (tap === undefined) this.#settle(end);
    else tap.close(() => this.#settle(end));
  }

  /** An answer that is longer than the longest string cannot be metered: it counts as one that broke off. */
  #settle(end: () => ForwardEnd): void {
    try {
      this.#resolve(end());
    } catch {
      this.#call.res.destroy();
      this.#resolve({ kind: 'Broken', metered: UNMETERED, timedOut: false });
    }
  }

  readonly #onClose = (): void => {
    if (!this.#call.res.writableFinished) this.#abort.callerLeft(this.#progress());
  };

  readonly #progress = (): AnswerProgress => ({
    form: this.#answer?.form ?? null,
    hasBegun: this.#answer?.tap.hasBegun ?? false,
    wasHeldUp: this.#answer?.writer.wasHeldUp ?? false,
  });
}

function errorStatus({ errorType }: Metered): ForwardEnd {
  return { kind: 'ErrorStatus', errorType };
}
