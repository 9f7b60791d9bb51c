import { setTimeout as sleep } from 'node:timers/promises';
import Anthropic from '@anthropic-ai/sdk';
import { SeededRandom } from '../../../bench/seeded-random.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';
import { type Tally, emptyTally } from './tally.ts';

/** How many callers there are of each kind. */
export interface Crowd {
  /** Who read streams of ten to twenty seconds, one after the other. */
  readonly streams: number;
  /** Who ask for short answers. */
  readonly callers: number;
}

const MAX_TOKENS = 200;
/** Between two calls of a caller. Milliseconds, up to twice as many. */
const PAUSE_MS = 100;
/** After a refusal or a failure. */
const PAUSE_AFTER_ERROR_MS = 300;
/** The streams begin over this time. */
const START_MS = 3_000;

type Event = Anthropic.RawMessageStreamEvent;

/**
 * Callers with Anthropic's own client, which find gateway and key in the environment as any Pod does. The client does
 * not try again: each failure that a retry would hide is counted.
 */
export class Callers {
  readonly tally: Tally = emptyTally();
  readonly #client = new Anthropic({ maxRetries: 0, timeout: 120_000 });
  readonly #workers: readonly Promise<void>[];
  #isStopped = false;

  constructor({ streams, callers }: Crowd) {
    this.#workers = [
      ...Array.from({ length: streams }, (_, n) => this.#work(new SeededRandom(n), (dice) => this.#stream(dice))),
      ...Array.from({ length: callers }, (_, n) => this.#work(new SeededRandom(-1 - n), (dice) => this.#call(dice))),
    ];
  }

  /** Begins no further call and waits for those under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
  }

  async #work(dice: SeededRandom, once: (dice: SeededRandom) => Promise<void>): Promise<void> {
    await sleep(dice.below(START_MS));
    while (!this.#isStopped) {
      const before = this.tally.answered;
      await once(dice);
      const pause = this.tally.answered > before ? PAUSE_MS : PAUSE_AFTER_ERROR_MS;
      await sleep(pause + dice.below(pause));
    }
  }

  async #call(dice: SeededRandom): Promise<void> {
    const behaviour: Behaviour = { usage: { output_tokens: 1 + dice.below(MAX_TOKENS) }, latencyMs: dice.below(60) };
    const since = performance.now();
    try {
      await this.#client.messages.create(request(dice, false), { headers: directive(behaviour) });
    } catch (error) {
      return this.#failed(error, 'failed');
    }
    this.#waited(since);
    this.tally.answered += 1;
  }

  async #stream(dice: SeededRandom): Promise<void> {
    const behaviour: Behaviour = {
      usage: { output_tokens: 1 + dice.below(MAX_TOKENS) },
      chunks: 8,
      paceMs: 700 + dice.below(700),
    };
    const since = performance.now();
    let last: Event | undefined;
    try {
      for await (const event of await this.#client.messages.create(request(dice, true), {
        headers: directive(behaviour),
      })) {
        if (last === undefined) {
          this.#waited(since);
          this.tally.open += 1;
        }
        last = event;
      }
      // The client takes the end of the body for the end of the answer, wherever it comes.
      if (last?.type !== 'message_stop') throw new Error(`the stream ended after ${last?.type ?? 'nothing'}`);
      this.tally.answered += 1;
      this.tally.streamed += 1;
    } catch (error) {
      this.#failed(error, last === undefined ? 'failed' : 'cut');
    } finally {
      if (last !== undefined) this.tally.open -= 1;
    }
  }

  #waited(since: number): void {
    this.tally.longestWaitMs = Math.max(this.tally.longestWaitMs, Math.ceil(performance.now() - since));
  }

  #failed(error: unknown, how: 'failed' | 'cut'): void {
    const { tally } = this;
    if (isForMoney(error)) {
      tally.refused += 1;
      return;
    }
    tally[how] += 1;
    const problem = `${how}: ${said(error)}`;
    tally.problems[problem] = (tally.problems[problem] ?? 0) + 1;
  }
}

/** The stand-in does what the header asks; Anthropic would not know it. */
function directive(behaviour: Behaviour): Record<string, string> {
  return { 'x-stainless-stand-in': JSON.stringify(behaviour) };
}

function request<Stream extends boolean>(dice: SeededRandom, stream: Stream) {
  const content = 'Tell me more. '.repeat(1 + dice.below(60));
  return {
    model: 'claude-haiku-4-5',
    max_tokens: MAX_TOKENS,
    stream,
    messages: [{ role: 'user' as const, content }],
  };
}

/** Whether a budget is spent, or all that is left of it is held by calls in flight and stayed so for as long as a call waits. */
function isForMoney(error: unknown): boolean {
  if (!(error instanceof Anthropic.APIError)) return false;
  return error.errorCode === 'budget_exceeded' || error.errorCode === 'budget_busy';
}

/** What the client says, and what lies beneath it; without what differs from call to call. */
function said(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const beneath = error.cause === undefined ? '' : ` (${said(error.cause)})`;
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code} ` : '';
  const text = error instanceof Anthropic.APIError && error.apiMessage !== null ? error.apiMessage : error.message;
  const status = error instanceof Anthropic.APIError && error.status !== undefined ? `${error.status} ` : '';
  return `${status}${code}${text.slice(0, 200)}${beneath}`;
}
