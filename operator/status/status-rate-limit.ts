import { TokenBucket } from '../../kube/token-bucket.ts';
import type { StatusChange } from './status-change.ts';

/** The figures of one object are written at most this often. Milliseconds. */
const MIN_INTERVAL_MS = 2_000;
/** Small moves give way to large ones for at most this long. Milliseconds. */
const MAX_WAIT_MS = 30_000;
const FIGURES_PER_SECOND = 10;
/** This many objects can change all the time and still be shown within 5 s. */
const UNCROWDED = 5 * FIGURES_PER_SECOND;
/** Writes of urgent changes per second. There are many of them only where thousands of budgets are new or begin a period. */
const URGENT_PER_SECOND = 300;
/** Urgent writes in flight, few enough that an edit does not wait behind them. */
export const URGENT_IN_FLIGHT = 30;

/** Decides which statuses are written when, so that neither a busy budget nor thousands of them flood the API server. */
export class StatusRateLimit {
  readonly #figures = new TokenBucket(FIGURES_PER_SECOND, { tokens: FIGURES_PER_SECOND, ms: 1_000 });
  readonly #urgent = new TokenBucket(URGENT_IN_FLIGHT, { tokens: URGENT_PER_SECOND, ms: 1_000 });

  /**
   * Takes the uids to write now, the most important first. `changes` are in the order in which they arose, so that the
   * oldest goes first. `now`: milliseconds of a monotonic clock.
   */
  take(changes: readonly StatusChange[], now: number): readonly string[] {
    const urgent = changes.filter(({ isUrgent }) => isUrgent);
    const figures = changes.filter(({ isUrgent, writtenAt }) => !isUrgent && now - writtenAt >= MIN_INTERVAL_MS);
    const isCrowded = changes.length > UNCROWDED;
    const ordered = isCrowded ? figures.toSorted((a, b) => rank(a, now) - rank(b, now)) : figures;
    const taken = [
      ...urgent.slice(0, this.#urgent.take(urgent.length, now)),
      ...ordered.slice(0, this.#figures.take(ordered.length, now)),
    ];
    return taken.map(({ uid }) => uid);
  }
}

/** Large moves, and small ones that have waited long, go before other small ones. */
function rank({ isLarge, writtenAt }: StatusChange, now: number): number {
  return isLarge || now - writtenAt >= MAX_WAIT_MS ? 0 : 1;
}
