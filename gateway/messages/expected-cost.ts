import type { Ref } from '../../policy/core/compiled-policy.ts';
import { type MovingAverage, updateAverage } from '../../policy/cost/moving-average.ts';

/** How many are kept: those that were used last. */
const MOST = 10_000;

/** What a call of a workspace to a model will cost, by those that this gateway settled last. */
export class ExpectedCosts {
  readonly #known = new Map<string, MovingAverage>();

  /** Nano-dollars; null before the first call. */
  of(workspace: Ref, model: string): bigint | null {
    return this.#known.get(`${workspace} ${model}`)?.meanNano ?? null;
  }

  /** A call has cost so much. */
  learn(workspace: Ref, model: string, costNano: bigint): void {
    const name = `${workspace} ${model}`;
    const learned = updateAverage(this.#known.get(name), costNano);
    this.#known.delete(name);
    this.#known.set(name, learned);
    if (this.#known.size > MOST) this.#known.delete(this.#known.keys().next().value!);
  }
}
