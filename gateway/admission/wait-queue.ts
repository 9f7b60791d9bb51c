/** How often the head of a line tries again although no settle of this gateway woke it: others settle too. */
const POLL_MS = 100;

interface Waiter {
  readonly attempt: () => Promise<boolean>;
  readonly deadline: number;
  readonly leave: () => void;
}

/**
 * Calls that would fit once calls in flight settle, first come first served, one line for each counter that had no
 * room. Only the head of a line tries, so nobody is overtaken and a full budget costs one try at a time.
 */
export class WaitQueue {
  readonly #lines = new Map<string, Line>();
  readonly #perBudget: number;
  readonly #elapsed: () => number;

  /** `perBudget`: how many may wait for one budget, over all its lines. `elapsed`: a clock that never jumps. Milliseconds. */
  constructor(perBudget: number, elapsed: () => number) {
    this.#perBudget = perBudget;
    this.#elapsed = elapsed;
  }

  /** Whether somebody waits for the counter: who comes now joins the line and does not overtake it. */
  isQueued(counter: string): boolean {
    return this.#lines.has(counter);
  }

  /**
   * Joins the line of `counter` and calls `attempt` at its head until it answers true, which resolves to true.
   * Resolves to false at the deadline (by `elapsed`), when `signal` aborts, and at once where the budget's lines are full.
   */
  join(
    budget: string,
    counter: string,
    deadline: number,
    signal: AbortSignal,
    attempt: () => Promise<boolean>,
  ): Promise<boolean> {
    if (this.#waitersOf(budget) >= this.#perBudget || signal.aborted) return Promise.resolve(false);
    const line = this.#lines.get(counter) ?? this.#open(budget, counter);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        line.remove(waiter);
        waiter.leave();
        resolve(false);
      };
      const waiter: Waiter = {
        deadline,
        leave: () => signal.removeEventListener('abort', onAbort),
        attempt: async () => {
          try {
            const done = await attempt();
            if (!done && this.#elapsed() < deadline) return false;
            resolve(done);
          } catch (error) {
            reject(error);
          }
          waiter.leave();
          return true;
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      line.add(waiter);
    });
  }

  /** Something of these counters was settled or released here: the heads of their lines try again now. */
  wake(counters: Iterable<string>): void {
    if (this.#lines.size === 0) return;
    for (const counter of counters) this.#lines.get(counter)?.wake();
  }

  #open(budget: string, counter: string): Line {
    const line = new Line(budget, this.#elapsed, () => this.#lines.delete(counter));
    this.#lines.set(counter, line);
    return line;
  }

  #waitersOf(budget: string): number {
    let waiters = 0;
    for (const line of this.#lines.values()) if (line.budget === budget) waiters += line.length;
    return waiters;
  }
}

class Line {
  readonly budget: string;
  readonly #waiters: Waiter[] = [];
  readonly #elapsed: () => number;
  readonly #closed: () => void;
  #running = false;
  #woken = false;
  #sleeper: (() => void) | null = null;

  constructor(budget: string, elapsed: () => number, closed: () => void) {
    this.budget = budget;
    this.#elapsed = elapsed;
    this.#closed = closed;
  }

  get length(): number {
    return this.#waiters.length;
  }

  add(waiter: Waiter): void {
    this.#waiters.push(waiter);
    if (!this.#running) void this.#run();
  }

  remove(waiter: Waiter): void {
    const at = this.#waiters.indexOf(waiter);
    if (at !== -1) this.#waiters.splice(at, 1);
    this.wake();
  }

  wake(): void {
    this.#woken = true;
    this.#sleeper?.();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (let head = this.#waiters[0]; head !== undefined; head = this.#waiters[0]) {
      await this.#sleep(head.deadline);
      if (head !== this.#waiters[0]) continue;
      this.#woken = false;
      if (await head.attempt()) this.remove(head);
    }
    this.#running = false;
    this.#closed();
  }

  /** Until woken, the next poll, or the head's deadline, whichever comes first. */
  #sleep(deadline: number): Promise<void> {
    if (this.#woken) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#sleeper = null;
        resolve();
      };
      const timer = setTimeout(end, Math.max(1, Math.min(POLL_MS, deadline - this.#elapsed())));
      this.#sleeper = end;
    });
  }
}
