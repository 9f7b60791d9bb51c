import type { Dispatcher } from 'undici';
import type { AnswerForm } from './meter-tap.ts';

/**
 * What happens upstream to a call whose caller left. `Cancel`: a stream is cancelled as soon as it has said what its
 * prompt costs. A whole answer says what it costs only at its end, so it is read to the end; so is a stream that the
 * caller held up, because the upstream may be far ahead of what was seen. An error is read to its end for a while too:
 * only its end says whether the API sent it. `Drain`: every answer is read to its end.
 * `Drop`: the call costs nothing, so it is cancelled at once.
 */
export type OnAbort = 'Cancel' | 'Drain' | 'Drop';

export interface AnswerProgress {
  /** Null before its headers came. */
  readonly form: AnswerForm | null;
  readonly hasBegun: boolean;
  readonly wasHeldUp: boolean;
}

/** How long a stream may take to begin, and an error to end, after the caller left. Then it is cancelled. Milliseconds. */
const PATIENCE_MS = 10_000;

/** Decides when a call whose caller left is cancelled upstream. */
export class AbortPolicy {
  readonly #onAbort: OnAbort;
  readonly #isStreamAsked: boolean;
  #controller: Dispatcher.DispatchController | null = null;
  #hasLeft: boolean;
  #isCancelled = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(onAbort: OnAbort, isStreamAsked: boolean, hasLeft: boolean) {
    this.#onAbort = onAbort;
    this.#isStreamAsked = isStreamAsked;
    this.#hasLeft = hasLeft;
  }

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** A connection is about to send the call. False, and nothing is sent or billed, if the caller has left already. */
  begin(controller: Dispatcher.DispatchController): boolean {
    this.#controller = controller;
    if (this.#hasLeft) controller.abort(new Error('the caller left'));
    return !this.#hasLeft;
  }

  callerLeft(progress: AnswerProgress): void {
    this.#hasLeft = true;
    if (this.#onAbort === 'Drop') this.#cancel();
    else this.#cancelSoon(progress);
  }

  /** More of the answer has come. */
  advance(progress: () => AnswerProgress): void {
    if (this.#hasLeft) this.#cancelSoon(progress());
  }

  /** The call is over. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #cancelSoon({ form, hasBegun, wasHeldUp }: AnswerProgress): void {
    const isStream = form === null ? this.#isStreamAsked : form === 'Stream';
    const isCancelled = form === 'Error' || (this.#onAbort === 'Cancel' && isStream && !wasHeldUp);
    if (!isCancelled) return;
    if (hasBegun) this.#cancel();
    else this.#timer ??= setTimeout(() => this.#cancel(), PATIENCE_MS);
  }

  #cancel(): void {
    this.#isCancelled = true;
    this.#controller?.abort(new Error('the caller left'));
  }
}
