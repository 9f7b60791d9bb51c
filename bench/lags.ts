import { type Place, keyOf } from './fleet.ts';
import type { Watched } from './watched.ts';

/** For every call the time from its answer to the first status that holds its cost. Each call of a place costs the same. */
export class Lags {
  readonly #answered = new Map<string, number[]>();
  readonly #shown = new Map<string, number>();
  readonly times: number[] = [];
  #counts = false;

  constructor(watched: Watched, places: readonly Place[]) {
    for (const place of places) {
      const budget = watched.get(keyOf(place));
      this.#answered.set(keyOf(place), []);
      this.#shown.set(keyOf(place), budget?.status?.requests ?? 0);
    }
    watched.onStatus = (key, { status }) => this.#take(key, status?.requests ?? 0);
  }

  begin(): void {
    this.#counts = true;
  }

  called(place: Place): void {
    this.#answered.get(keyOf(place))!.push(performance.now());
  }

  /** Calls whose cost was not shown in the end. */
  get missing(): number {
    return [...this.#answered.values()].reduce((sum, waiting) => sum + waiting.length, 0);
  }

  #take(key: string, requests: number): void {
    const waiting = this.#answered.get(key);
    if (waiting === undefined) return;
    const now = performance.now();
    const fresh = waiting.splice(0, Math.max(0, requests - this.#shown.get(key)!));
    this.#shown.set(key, Math.max(requests, this.#shown.get(key)!));
    if (this.#counts) this.times.push(...fresh.map((at) => now - at));
  }
}
