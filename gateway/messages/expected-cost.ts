import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Nano } from '../../policy/core/money.ts';
import { type MovingAverage, updateAverage } from '../../policy/cost/moving-average.ts';

/** How many averages are kept: those that were updated last. */
const MAX_AVERAGES = 10_000;

/** What a call of a workspace to a model probably costs: the moving average of the calls that this gateway settled. */
export class ExpectedCosts {
  readonly #averages = new Map<string, MovingAverage>();

  /** Nano-dollars; null before the first call. */
  of(workspace: Ref, model: string): Nano | null {
    return this.#averages.get(`${workspace} ${model}`)?.meanNano ?? null;
  }

  /** Nano-dollars. */
  learn(workspace: Ref, model: string, costNano: Nano): void {
    const name = `${workspace} ${model}`;
    const learned = updateAverage(this.#averages.get(name), costNano);
    this.#averages.delete(name);
    this.#averages.set(name, learned);
    if (this.#averages.size > MAX_AVERAGES) this.#averages.delete(this.#averages.keys().next().value!);
  }
}
