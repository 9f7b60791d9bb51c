/** One object whose status is no longer what was written. Times in milliseconds. */
export interface Change {
  readonly key: string;
  /** A condition, the state or the period changed. */
  readonly isUrgent: boolean;
  /** What was spent moved by 1 % of the limit or more. */
  readonly isLarge: boolean;
  /** When the object's status was last written; 0 for never. */
  readonly writtenAt: number;
}

/** How long the figures of one object rest after a write. */
const REST_MS = 2_000;
/** How long small moves may wait for the large ones. */
const PATIENCE_MS = 30_000;
const WRITES_PER_SECOND = 10;

/** Decides which status is written when, so that neither a busy budget nor many of them flood the API server. */
export class Pace {
  #tokens = WRITES_PER_SECOND;
  #at = 0;

  /** What to write now, the most important first; it counts as written. */
  due(changes: readonly Change[], now: number): readonly string[] {
    const gained = (Math.max(0, now - this.#at) / 1000) * WRITES_PER_SECOND;
    this.#tokens = Math.min(WRITES_PER_SECOND, this.#tokens + gained);
    this.#at = now;
    const ready = changes.filter(({ isUrgent, writtenAt }) => isUrgent || now - writtenAt >= REST_MS);
    const chosen = ready.toSorted((a, b) => compare(a, b, now)).slice(0, Math.floor(this.#tokens));
    this.#tokens -= chosen.length;
    return chosen.map(({ key }) => key);
  }
}

/** Where the writes do not suffice for all: urgent ones, then large moves and what waited long, oldest first. */
function compare(a: Change, b: Change, now: number): number {
  return rank(a, now) - rank(b, now) || a.writtenAt - b.writtenAt;
}

function rank({ isUrgent, isLarge, writtenAt }: Change, now: number): number {
  if (isUrgent) return 0;
  return isLarge || now - writtenAt >= PATIENCE_MS ? 1 : 2;
}
