import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Behaviour } from './behaviour.ts';
import { compressed } from './compressed.ts';
import { Problem, headers, sendEdge, sendJson, sendProblem, typeOf } from './envelope.ts';
import { type Message, type StreamEvent, event, messageEvents, messageJson } from './message.ts';
import type { Usage } from './prices.ts';

/** What a delivery came to: what is billed (null for nothing), and whether the whole answer was written. */
export type Booking = (usage: Usage | null, whole: boolean) => void;

export interface DeliveryOptions {
  response: ServerResponse;
  requestId: string;
  message: Message;
  behaviour: Behaviour;
  /** Where a stream that is held leaves what lets it go on. */
  held: Set<() => void>;
}

/** Writes one answer, as the behaviour wants it. */
export class Delivery {
  readonly #response: ServerResponse;
  readonly #requestId: string;
  readonly #message: Message;
  readonly #behaviour: Behaviour;
  readonly #held: Set<() => void>;
  /** Where a stream is written to: the response, or what compresses it on its way there. */
  #body: Writable;
  /** Tokens of output that were written; null before message_start. */
  #sent: number | null = null;

  constructor({ response, requestId, message, behaviour, held }: DeliveryOptions) {
    this.#response = response;
    this.#body = response;
    this.#requestId = requestId;
    this.#message = message;
    this.#behaviour = behaviour;
    this.#held = held;
  }

  /** Resolves when nothing more will be written. The call is booked before its last byte goes. */
  async send(stream: boolean, book: Booking): Promise<void> {
    const { latencyMs = 0, status, error, retryAfter, edge } = this.#behaviour;
    if (latencyMs > 0) await this.#pause(latencyMs);
    if (edge !== undefined) {
      if (edge.runs === true) book(this.#message.usage, true);
      return sendEdge(this.#response, edge);
    }
    if (status !== undefined && !this.#gone) {
      const { type = typeOf(status), message = `The stand-in was asked for ${status}` } = error ?? {};
      return sendProblem(this.#response, this.#requestId, new Problem(status, type, message, retryAfter));
    }
    const whole = !this.#gone && (await (stream ? this.#stream(book) : this.#json(book)));
    if (!whole) book(this.#partly(), false);
  }

  /** @returns false where it broke off. */
  async #json(book: Booking): Promise<boolean> {
    const { breakAt, encoding } = this.#behaviour;
    const json = messageJson(this.#message);
    if (breakAt) return this.#breakJson(json, breakAt);
    book(this.#message.usage, true);
    if (encoding === undefined) sendJson(this.#response, this.#requestId, json);
    else {
      const encoded = { ...headers(this.#requestId, 'application/json'), 'content-encoding': encoding };
      this.#response.writeHead(200, encoded);
      compressed(this.#response, encoding).end(json);
    }
    return true;
  }

  async #breakJson(json: string, breakAt: NonNullable<Behaviour['breakAt']>): Promise<false> {
    if (breakAt === 'Head') return this.#reset();
    this.#response.writeHead(200, headers(this.#requestId, 'application/json'));
    const half = json.slice(0, json.length / 2);
    if (breakAt === 'Cut') {
      this.#response.end(half);
      return false;
    }
    if (breakAt !== 'Start') this.#response.write(half);
    return this.#flushAndReset();
  }

  /** @returns false where it broke off. */
  async #stream(book: Booking): Promise<boolean> {
    const { breakAt, chunks = 4, encoding } = this.#behaviour;
    if (breakAt === 'Head') return this.#reset();
    const events = messageEvents(this.#message, chunks);
    this.#response.writeHead(200, {
      ...headers(this.#requestId, 'text/event-stream; charset=utf-8'),
      'cache-control': 'no-cache',
      ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
    });
    if (encoding !== undefined) this.#body = compressed(this.#response, encoding);
    if (breakAt === 'Start') return this.#flushAndReset();
    if (breakAt === 'EventOnly') return this.#breakStream([], breakAt);
    if (breakAt === 'EventFirst') return this.#breakStream(events.slice(0, 1), breakAt);
    if (breakAt && breakAt !== 'AfterUsage') return this.#breakStream(events.slice(0, events.length / 2), breakAt);
    if (!(await this.#write(events.slice(0, -1)))) return false;
    book(this.#message.usage, true);
    if (breakAt === 'AfterUsage') return !(await this.#flushAndReset());
    this.#body.end(events.at(-1)?.text);
    return true;
  }

  async #breakStream(events: StreamEvent[], breakAt: NonNullable<Behaviour['breakAt']>): Promise<false> {
    if (events.length > 0 && !(await this.#write(events))) return false;
    if (breakAt === 'Middle') return this.#flushAndReset();
    const { type = 'overloaded_error', message = 'Overloaded' } = this.#behaviour.error ?? {};
    this.#body.end(breakAt === 'Cut' ? '' : event({ type: 'error', error: { type, message } }).text);
    return false;
  }

  /** Writes events at the pace asked for, in one piece where there is none. @returns false where the client went away. */
  async #write(events: StreamEvent[]): Promise<boolean> {
    const { paceMs = 0, holdAfter } = this.#behaviour;
    let deltas = 0;
    let waiting = '';
    for (const { text, outputTokens } of events) {
      if (this.#gone) return false;
      waiting += text;
      this.#sent = (this.#sent ?? 0) + outputTokens;
      if (outputTokens > 0) deltas += 1;
      const holds = deltas === holdAfter && outputTokens > 0;
      if (paceMs === 0 && !holds) continue;
      this.#body.write(waiting);
      waiting = '';
      await (holds ? this.#hold() : this.#pause(paceMs));
    }
    if (waiting !== '' && !this.#gone && !this.#body.write(waiting)) await this.#drained();
    return !this.#gone;
  }

  /** What a call that broke off costs. */
  #partly(): Usage | null {
    if (this.#behaviour.abortBilling === 'Full') return this.#message.usage;
    return this.#sent === null
      ? null
      : { ...this.#message.usage, output_tokens: Math.min(this.#sent, this.#message.usage.output_tokens) };
  }

  get #gone(): boolean {
    return this.#response.destroyed;
  }

  /** Until time has passed or the client is gone. */
  async #pause(ms: number): Promise<void> {
    await this.#orGone((signal) => sleep(ms, undefined, { signal }));
  }

  /** Until `POST /release` or the client is gone. */
  async #hold(): Promise<void> {
    let goOn = (): void => undefined;
    const released = new Promise<void>((resolve) => (goOn = resolve));
    this.#held.add(goOn);
    await this.#orGone((signal) => Promise.race([released, once(signal, 'abort')]));
    this.#held.delete(goOn);
  }

  async #drained(): Promise<void> {
    await this.#orGone((signal) => once(this.#body, 'drain', { signal }));
  }

  async #orGone(wait: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    if (this.#gone) return;
    const ended = new AbortController();
    const end = (): void => ended.abort();
    this.#response.once('close', end);
    await wait(ended.signal).catch((error: unknown) => {
      if (!ended.signal.aborted) throw error;
    });
    this.#response.off('close', end);
  }

  #reset(): false {
    this.#response.socket?.resetAndDestroy();
    return false;
  }

  /** What was written reaches the client first. */
  async #flushAndReset(): Promise<false> {
    this.#response.flushHeaders();
    await sleep(20);
    return this.#reset();
  }
}
