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
/** So many at a time, lest an edit waits behind them. */
export const URGENT_AT_ONCE = 30;

/** Decides which status is written when, so that neither a busy budget nor many of them flood the API server. */
export class StatusRateLimit {
  readonly #figures = new Bucket(WRITES_PER_SECOND, WRITES_PER_SECOND);
  readonly #urgent = new Bucket(URGENT_PER_SECOND, URGENT_AT_ONCE);

  /**
   * What to write now, the most important first; it counts as written. `changes` in the order in which they came up, so
   * that what waits longest goes first.
   */
  due(changes: readonly Change[], now: number): readonly string[] {
    const urgent = changes.filter(({ isUrgent }) => isUrgent);
    const figures = changes.filter(({ isUrgent, writtenAt }) => !isUrgent && now - writtenAt >= REST_MS);
    const isCrowded = changes.length > CROWD;
    const ordered = isCrowded ? figures.toSorted((a, b) => rank(a, now) - rank(b, now)) : figures;
    const chosen = [...this.#urgent.take(urgent, now), ...this.#figures.take(ordered, now)];
    return chosen.map(({ key }) => key);
  }
}

/** Lets through so many a second, and at most so many at a time. */
class Bucket {
  readonly #perSecond: number;
  readonly #most: number;
  #tokens: number;
  #at = 0;

  constructor(perSecond: number, most: number) {
    this.#perSecond = perSecond;
    this.#most = most;
    this.#tokens = most;
  }

  /** The first of a list, as many as may go at `now` (milliseconds). */
  take<T>(list: readonly T[], now: number): readonly T[] {
    const gained = (Math.max(0, now - this.#at) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#most, this.#tokens + gained);
    this.#at = now;
    const taken = list.slice(0, Math.floor(this.#tokens));
    this.#tokens -= taken.length;
    return taken;
  }
}

/** Where the writes do not suffice for all: large moves and what waited long go first. */
function rank({ isLarge, writtenAt }: Change, now: number): number {
  return isLarge || now - writtenAt >= PATIENCE_MS ? 0 : 1;
}
