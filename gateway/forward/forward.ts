import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import type { Clocks } from '../http/call.ts';
import type { HeadersDown } from '../http/headers-down.ts';
import type { RawHeaders } from '../http/headers.ts';
import { StaleConnection } from '../upstream/kept-connection.ts';
import { isKeyRefused, keyRefusal } from '../upstream/upstream-keys.ts';
import { AbortPolicy, type AnswerProgress, type OnAbort } from './abort-policy.ts';
import { type AnswerWriter, CollectingWriter, NO_WRITER, StreamingWriter } from './answer-writer.ts';
import { MadeFiles } from './made-files.ts';
import { MeterTap } from './meter-tap.ts';
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
  readonly headersDown: HeadersDown;
  /** Told which files code has made for the caller; null or absent: nobody asks. */
  readonly onMadeFiles?: ((ids: readonly string[]) => void) | null;
  readonly onAnswer: (status: number, headers: IncomingHttpHeaders) => void;
  /** The gateway's own headers for an answer that is streamed. */
  readonly streamHeaders: () => RawHeaders;
  /** The gateway's own headers for an answer that was read whole. */
  readonly answerHeaders: (end: ForwardEnd) => RawHeaders;
}

/** What was seen of a call, which decides what it costs (policy/cost/ending-cost.ts). */
export interface ForwardEnd {
  /** A byte of it was written to a connection. */
  readonly isSent: boolean;
  /** Its connection had served other calls, and ended without a byte of the answer. */
  readonly isStale: boolean;
  /** The caller left, and the call was cancelled upstream. */
  readonly isCancelled: boolean;
  readonly timedOut: boolean;
  /** The upstream's; 0 if no answer began. */
  readonly status: number;
  /** The answer came to its end as HTTP has it. */
  readonly isWhole: boolean;
  readonly metered: Metered;
  /** From the first byte of the call to the end of the answer. */
  readonly milliseconds: number;
}

/**
 * Sends a call and passes its answer on. Never rejects. If no answer began, or one that refuses the upstream key, the
 * caller still waits for one.
 */
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

/** What the gateway answers if the caller still waits for an answer. */
export function unanswered({ timedOut, status }: ForwardEnd, workspace: ResolvedWorkspace): Refusal {
  if (isKeyRefused(status)) return keyRefusal(workspace, status);
  return refusalFor(timedOut ? 'UpstreamTimeout' : 'UpstreamUnreachable');
}

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

/** An answer whose headers have come: each chunk goes to the meter and to the caller. */
interface Answer {
  readonly status: number;
  readonly tap: MeterTap;
  readonly writer: AnswerWriter;
}

/** Connects the parts that handle one call: meter tap, writer and abort policy. */
class UpstreamHandler implements Dispatcher.DispatchHandler {
  readonly #call: UpstreamCall;
  readonly #resolve: (end: ForwardEnd) => void;
  readonly #abort: AbortPolicy;
  #answer: Answer | null = null;
  /** When the first byte was written, by the monotonic clock; null before. Milliseconds. */
  #sentAt: number | null = null;
  #end: ForwardEnd | null = null;

  constructor(call: UpstreamCall, resolve: (end: ForwardEnd) => void) {
    this.#call = call;
    this.#resolve = resolve;
    this.#abort = new AbortPolicy(call.onAbort, call.stream, call.res.destroyed);
    call.res.on('close', this.#onClose);
  }

  /** Called right before the first byte is written to a connection: from here on the call may be billed. */
  onRequestStart(controller: Dispatcher.DispatchController): void {
    // It stays if undici begins a request again: what was sent once may be billed.
    if (this.#abort.begin(controller)) this.#sentAt ??= this.#call.elapsed();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) return;
    const { onAnswer, onMadeFiles, headersDown, elapsed } = this.#call;
    onAnswer(status, headers);
    const tap = new MeterTap(status, headers, elapsed, onMadeFiles ? new MadeFiles(onMadeFiles) : null);
    this.#answer = { status, tap, writer: this.#writerOf(tap, status, headersDown(headers)) };
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { tap, writer } = this.#answer!;
    tap.write(chunk);
    writer.write(chunk, controller);
    this.#abort.advance(this.#progress);
  }

  onResponseEnd(): void {
    const { writer } = this.#answer!;
    this.#close(() => {
      this.#end = this.#endOf(true);
      writer.end();
      return this.#end;
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#close(() => this.#endOf(false, error));
    this.#answer?.writer.fail();
  }

  /** An error and a stream are passed on as they come; a whole answer is collected, because its headers say its cost. */
  #writerOf({ form }: MeterTap, status: number, headers: RawHeaders): AnswerWriter {
    const { res, stream, streamHeaders, answerHeaders } = this.#call;
    if (isKeyRefused(status)) return NO_WRITER;
    if (form === 'Error') return new StreamingWriter(res, status, headers);
    // A stream may come under another content type, so who asked for one waits for none of it.
    if (form === 'Stream' || stream) return new StreamingWriter(res, status, [...headers, ...streamHeaders()]);
    return new CollectingWriter(res, status, headers, () => answerHeaders(this.#end!));
  }

  #endOf(isWhole: boolean, error?: Error, metered = this.#answer?.tap.read(isWhole) ?? UNMETERED): ForwardEnd {
    return {
      isSent: this.#sentAt !== null,
      isStale: error instanceof StaleConnection,
      isCancelled: this.#abort.isCancelled,
      timedOut: error !== undefined && 'code' in error && TIMEOUTS.has(String(error.code)),
      status: this.#answer?.status ?? 0,
      isWhole,
      metered,
      milliseconds: this.#call.elapsed() - (this.#sentAt ?? 0),
    };
  }

  /** The upstream is done; `end` is asked once the meter has read all that it can. */
  #close(end: () => ForwardEnd): void {
    this.#abort.stop();
    this.#call.res.off('close', this.#onClose);
    if (this.#answer === null) this.#settle(end);
    else this.#answer.tap.close(() => this.#settle(end));
  }

  /** An answer that cannot be metered counts as one that broke off: the call must end whatever the upstream sent. */
  #settle(end: () => ForwardEnd): void {
    try {
      this.#resolve(end());
    } catch {
      this.#call.res.destroy();
      this.#resolve(this.#endOf(false, undefined, { ...UNMETERED, hasContent: true }));
    }
  }

  readonly #onClose = (): void => {
    if (!this.#call.res.writableFinished) this.#abort.callerLeft(this.#progress());
  };

  readonly #progress = (): AnswerProgress => ({
    form: this.#answer?.tap.form ?? null,
    hasBegun: this.#answer?.tap.hasBegun ?? false,
    wasHeldUp: this.#answer?.writer.wasHeldUp ?? false,
  });
}
