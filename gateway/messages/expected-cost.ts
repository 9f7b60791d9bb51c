import type { Ref } from '../../policy/core/compiled-policy.ts';
import { type Nano, nano, ZERO } from '../../policy/core/money.ts';

/** How many averages are kept: those that were updated last. */
const MAX_AVERAGES = 10_000;
/** A new call weighs one part of this many. */
const LAST = 20;

/** What a call to a model probably costs: the moving average of those settled here. It alone refuses no call. */
export class ExpectedCosts {
  readonly #averages = new Map<string, { readonly meanNano: Nano; readonly calls: number }>();

  /** Nano-dollars; null before the first call. */
  of(workspace: Ref, model: string): Nano | null {
    return this.#averages.get(`${workspace} ${model}`)?.meanNano ?? null;
  }

  learn(workspace: Ref, model: string, costNano: Nano): void {
    const name = `${workspace} ${model}`;
    const { meanNano, calls } = this.#averages.get(name) ?? { meanNano: ZERO, calls: 0 };
    const weight = BigInt(Math.min(calls + 1, LAST));
    this.#averages.delete(name);
    this.#averages.set(name, { meanNano: nano(meanNano + (costNano - meanNano) / weight), calls: calls + 1 });
    if (this.#averages.size > MAX_AVERAGES) this.#averages.delete(this.#averages.keys().next().value!);
  }
}
