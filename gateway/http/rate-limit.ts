const SECOND_MS = 1_000;

/** Limits how often something happens in a second, for each name. */
export class RateLimit {
  readonly #most: number;
  readonly #elapsed: () => number;
  #counts = new Map<string, number>();
  #endsAt = 0;

  /** `elapsed`: the monotonic clock. Milliseconds. */
  constructor(most: number, elapsed: () => number) {
    this.#most = most;
    this.#elapsed = elapsed;
  }

  /** Counts it; false if it happens too often. */
  admits(name: string): boolean {
    const now = this.#elapsed();
    if (now >= this.#endsAt) {
      this.#counts = new Map();
      this.#endsAt = now + SECOND_MS;
    }
    const count = (this.#counts.get(name) ?? 0) + 1;
    this.#counts.set(name, count);
    return count <= this.#most;
  }
}
