import { TokenBucket } from '../../kube/token-bucket.ts';

/** One object whose status is no longer what was written. Times in milliseconds. */
export interface Change {
  readonly key: string;
  /** A condition, the state or the period changed. */
  readonly isUrgent: boolean;
  /** What was spent moved by 1 % of the limit or more. */
  readonly isLarge: boolean;
  /** When the object's status was last written; long ago for never. */
  readonly writtenAt: number;
}

/** How long the figures of one object rest after a write. */
const REST_MS = 2_000;
/** How long small moves may wait for the large ones. */
const PATIENCE_MS = 30_000;
/** Of figures. */
const WRITES_PER_SECOND = 10;
/** So many objects can change all the time and all be shown within 5 s. */
const CROWD = 5 * WRITES_PER_SECOND;
/** Of changes of state: they are few, but for thousands of budgets that are made, or begin a period, at once. */
const URGENT_PER_SECOND = 300;
/** So many at a time, so that an edit does not wait behind them. */
export const URGENT_AT_ONCE = 30;

/** Decides which status is written when, so that neither a busy budget nor many of them flood the API server. */
export class StatusRateLimit {
  readonly #figures = new TokenBucket(WRITES_PER_SECOND, { tokens: WRITES_PER_SECOND, ms: 1_000 });
  readonly #urgent = new TokenBucket(URGENT_AT_ONCE, { tokens: URGENT_PER_SECOND, ms: 1_000 });

  /**
   * What to write now, the most important first; it counts as written. `changes` in the order in which they came up, so
   * that what waits longest goes first.
   */
  due(changes: readonly Change[], now: number): readonly string[] {
    const urgent = changes.filter(({ isUrgent }) => isUrgent);
    const figures = changes.filter(({ isUrgent, writtenAt }) => !isUrgent && now - writtenAt >= REST_MS);
    const isCrowded = changes.length > CROWD;
    const ordered = isCrowded ? figures.toSorted((a, b) => rank(a, now) - rank(b, now)) : figures;
    const chosen = [
      ...urgent.slice(0, this.#urgent.take(urgent.length, now)),
      ...ordered.slice(0, this.#figures.take(ordered.length, now)),
    ];
    return chosen.map(({ key }) => key);
  }
}

/** Where the writes do not suffice for all: large moves and what waited long go first. */
function rank({ isLarge, writtenAt }: Change, now: number): number {
  return isLarge || now - writtenAt >= PATIENCE_MS ? 0 : 1;
}
