/** How many calls of one lane run at once. */
const MAX_RUNNING = 8;
/** How many more wait for their turn. */
const MAX_WAITING = 64;

/** Calls that take turns. */
interface Lane {
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * Limits the calls that cost nothing, which no budget limits. The upstream counts them against a limit of its own for the
 * upstream key, which other callers and workspaces may share. So each key has a lane, whose calls run a few at a time;
 * further ones wait their turn, unread, and too many of these are refused.
 */
export class FreeCalls {
  /** By name; only while they have calls. */
  readonly #lanes = new Map<string, Lane>();

  /** Runs `serve` in its turn in a lane. Null, and it never runs, if too many calls of the lane wait. */
  async run<T>(name: string, serve: () => Promise<T>): Promise<T | null> {
    const lane = this.#lanes.get(name) ?? { running: 0, waiting: [] };
    this.#lanes.set(name, lane);
    if (lane.running < MAX_RUNNING) lane.running += 1;
    else if (lane.waiting.length >= MAX_WAITING) return null;
    // A call that ends hands its place on, so that no later one takes it.
    else await new Promise<void>((resolve) => lane.waiting.push(resolve));
    try {
      return await serve();
    } finally {
      const next = lane.waiting.shift();
      if (next !== undefined) next();
      else if ((lane.running -= 1) === 0) this.#lanes.delete(name);
    }
  }
}
