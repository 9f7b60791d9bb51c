/** In about this time every budget is read once more. Milliseconds. */
const ROUND_MS = 1_000;
/** Budgets per slice. Thousands are never read at once, so that an edit does not wait behind them. */
const SLICE = 500;
/** Reading takes at most this share of the time. */
const READING_SHARE = 0.2;

/** Spreads the reading of all budgets over a round, slice by slice. Times are milliseconds of a monotonic clock. */
export class ReadSchedule {
  #dueAt = Number.NEGATIVE_INFINITY;
  #next = 0;

  get dueAt(): number {
    return this.#dueAt;
  }

  /** Takes the next slice of all budgets, from the first again after the last. */
  take<T>(budgets: readonly T[], now: number): readonly T[] {
    const from = this.#next < budgets.length ? this.#next : 0;
    const slice = budgets.slice(from, from + SLICE);
    this.#next = from + SLICE;
    this.#dueAt = now + (slice.length === 0 ? ROUND_MS : (ROUND_MS * slice.length) / budgets.length);
    return slice;
  }

  /** Delays the next slice where reading the last one, taken at `takenAt`, was slow. */
  tookMs(readMs: number, takenAt: number): void {
    this.#dueAt = Math.max(this.#dueAt, takenAt + readMs / READING_SHARE);
  }
}
