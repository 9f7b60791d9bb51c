import { setTimeout as sleep } from 'node:timers/promises';
import { Caller } from '../../../bench/caller.ts';
import { Dice } from '../../../bench/dice.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';

const MAX_TOKENS = 200;
/** Between two calls of a caller: on a fast machine too a budget must last until what breaks is whole again. Milliseconds. */
const PAUSE_MS = 100;

/** Callers that ask again and again, streams and whole answers of random cost, through all gateways. */
export class Load {
  /** How many calls were answered, refused for money, refused for another reason, and torn in the middle. */
  answered = 0;
  refused = 0;
  turnedAway = 0;
  torn = 0;
  readonly #callers: readonly Caller[];
  readonly #workers: readonly Promise<void>[];
  #isStopped = false;
  #isHeld = false;

  /** `size`: how many of them. */
  constructor(gateways: readonly string[], apiKey: string, size = 16) {
    this.#callers = gateways.map((url) => new Caller(url, apiKey, size));
    this.#workers = Array.from({ length: size }, (_, n) => this.#work(n));
  }

  /** Calls no more while `what` is done, to have something left for what comes after it. */
  async hold(what: () => Promise<void>): Promise<void> {
    this.#isHeld = true;
    await what();
    this.#isHeld = false;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
    await Promise.all(this.#callers.map((caller) => caller.close()));
  }

  async #work(n: number): Promise<void> {
    const dice = new Dice(n);
    while (!this.#isStopped) {
      await sleep(PAUSE_MS + dice.roll(PAUSE_MS));
      if (this.#isHeld) continue;
      const behaviour: Behaviour = {
        usage: { output_tokens: 1 + dice.roll(MAX_TOKENS) },
        latencyMs: dice.roll(40),
        paceMs: dice.roll(30),
      };
      const caller = this.#callers[n % this.#callers.length]!;
      await caller.send({ stream: n % 2 === 0, maxTokens: MAX_TOKENS, behaviour }).then(
        ({ status, text }) => this.#count(status, text),
        () => (this.torn += 1),
      );
    }
  }

  #count(status: number, text: string): void {
    if (status === 200) this.answered += 1;
    else if (text.includes('budget_exceeded')) this.refused += 1;
    else this.turnedAway += 1;
  }
}
