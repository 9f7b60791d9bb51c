import type { BudgetWatch } from './budget-watch.ts';
import { type FeatureBudget, keyOf } from './many-budgets.ts';

/** Measures, for every call, the time from its answer to the first status that includes it. */
export class StatusDelays {
  readonly #answered = new Map<string, number[]>();
  readonly #shown = new Map<string, number>();
  /** Milliseconds. */
  readonly delaysMs: number[] = [];
  #measuring = false;

  constructor(watch: BudgetWatch, budgets: readonly FeatureBudget[]) {
    for (const each of budgets) {
      const budget = watch.get(keyOf(each));
      this.#answered.set(keyOf(each), []);
      this.#shown.set(keyOf(each), budget?.status?.requests ?? 0);
    }
    watch.onStatus = (key, { status }) => this.#onStatus(key, status?.requests ?? 0);
  }

  /** Delays of calls that are shown from now on are kept. */
  begin(): void {
    this.#measuring = true;
  }

  /** A call of that budget was answered. */
  answered(budget: FeatureBudget): void {
    this.#answered.get(keyOf(budget))!.push(performance.now());
  }

  /** Calls that no status includes yet. */
  get missing(): number {
    return [...this.#answered.values()].reduce((sum, waiting) => sum + waiting.length, 0);
  }

  #onStatus(key: string, requests: number): void {
    const waiting = this.#answered.get(key);
    if (waiting === undefined) return;
    const now = performance.now();
    const included = waiting.splice(0, Math.max(0, requests - this.#shown.get(key)!));
    this.#shown.set(key, Math.max(requests, this.#shown.get(key)!));
    if (this.#measuring) this.delaysMs.push(...included.map((at) => now - at));
  }
}
