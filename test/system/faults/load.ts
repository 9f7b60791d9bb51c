import { setTimeout as sleep } from 'node:timers/promises';
import { MessagesClient } from '../../../bench/messages-client.ts';
import { SeededRandom } from '../../../bench/seeded-random.ts';
import type { Behaviour } from '../../fakes/upstream/behaviour.ts';

const MAX_TOKENS = 200;
/** Pause between two calls of a caller, so that the budget lasts until the fault is repaired also on a fast machine. Milliseconds. */
const PAUSE_MS = 100;

/** Callers that repeat calls of random cost through all gateways, half of them streams. */
export class Load {
  /** How many calls were answered, refused for money, refused for another reason, and cut off. */
  answered = 0;
  refused = 0;
  turnedAway = 0;
  torn = 0;
  readonly #callers: readonly MessagesClient[];
  readonly #workers: readonly Promise<void>[];
  #isStopped = false;
  #isHeld = false;

  /** `size`: how many callers. */
  constructor(gateways: readonly string[], apiKey: string, size = 16) {
    this.#callers = gateways.map((url) => new MessagesClient(url, apiKey, size));
    this.#workers = Array.from({ length: size }, (_, n) => this.#work(n));
  }

  /** Pauses the calls while `what` is done, so that some of the budget is left afterwards. */
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
    const random = new SeededRandom(n);
    while (!this.#isStopped) {
      await sleep(PAUSE_MS + random.below(PAUSE_MS));
      if (this.#isHeld) continue;
      const behaviour: Behaviour = {
        usage: { output_tokens: 1 + random.below(MAX_TOKENS) },
        latencyMs: random.below(40),
        paceMs: random.below(30),
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
