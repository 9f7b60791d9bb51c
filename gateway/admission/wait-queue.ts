import type { Check, Failure } from '../../policy/core/counter-check.ts';
import { ZERO } from '../../policy/core/money.ts';
/** Time between two tries of a queue's head that no settle of this gateway woke: others settle too. Milliseconds. */
const POLL_MS = 100;

interface Waiter {
  readonly attempt: () => Promise<boolean>;
  readonly deadline: number;
  readonly leave: () => void;
}

/**
 * Calls that would fit once calls in flight settle, first come first served: a queue for each counter that had no room.
 * Only the head of a queue tries, so no call overtakes another and a full budget costs one try at a time.
 */
export class WaitQueue {
  readonly #queues = new Map<string, CounterQueue>();
  readonly #perBudget: number;
  readonly #elapsed: () => number;

  /** `perBudget`: how many may wait for one budget, over all its queues. `elapsed`: the monotonic clock. Milliseconds. */
  constructor(perBudget: number, elapsed: () => number) {
    this.#perBudget = perBudget;
    this.#elapsed = elapsed;
  }

  /** Whether calls wait for the counter: a call that comes now joins the queue and does not overtake them. */
  isQueued(counter: string): boolean {
    return this.#queues.has(counter);
  }

  /**
   * Joins the queue of `counter` and calls `attempt` at its head until it answers true, which resolves to true.
   * Resolves to false at the deadline (by `elapsed`), when `signal` aborts, and at once if the budget's queues are full.
   */
  join(
    budget: string,
    counter: string,
    deadline: number,
    signal: AbortSignal,
    attempt: () => Promise<boolean>,
  ): Promise<boolean> {
    if (this.#waitersOf(budget) >= this.#perBudget || signal.aborted) return Promise.resolve(false);
    const queue = this.#queues.get(counter) ?? this.#open(budget, counter);
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        queue.remove(waiter);
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
      queue.add(waiter);
    });
  }

  /** A call on these counters was settled or released here: the heads of their queues try again now. */
  wake(counters: Iterable<string>): void {
    if (this.#queues.size === 0) return;
    for (const counter of counters) this.#queues.get(counter)?.wake();
  }

  #open(budget: string, counter: string): CounterQueue {
    const queue = new CounterQueue(budget, this.#elapsed, () => this.#queues.delete(counter));
    this.#queues.set(counter, queue);
    return queue;
  }

  #waitersOf(budget: string): number {
    let waiters = 0;
    for (const queue of this.#queues.values()) if (queue.budget === budget) waiters += queue.length;
    return waiters;
  }
}

class CounterQueue {
  readonly budget: string;
  readonly #waiters: Waiter[] = [];
  readonly #elapsed: () => number;
  readonly #onEmpty: () => void;
  #isRunning = false;
  #isWoken = false;
  /** Ends the head's sleep; null while it does not sleep. */
  #endSleep: (() => void) | null = null;

  constructor(budget: string, elapsed: () => number, onEmpty: () => void) {
    this.budget = budget;
    this.#elapsed = elapsed;
    this.#onEmpty = onEmpty;
  }

  get length(): number {
    return this.#waiters.length;
  }

  add(waiter: Waiter): void {
    this.#waiters.push(waiter);
    if (!this.#isRunning) void this.#run();
  }

  remove(waiter: Waiter): void {
    const at = this.#waiters.indexOf(waiter);
    if (at !== -1) this.#waiters.splice(at, 1);
    this.wake();
  }

  wake(): void {
    this.#isWoken = true;
    this.#endSleep?.();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let head = this.#waiters[0]; head !== undefined; head = this.#waiters[0]) {
      await this.#sleep(head.deadline);
      if (head !== this.#waiters[0]) continue;
      this.#isWoken = false;
      if (await head.attempt()) this.remove(head);
    }
    this.#isRunning = false;
    this.#onEmpty();
  }

  /** Until woken, the next poll, or the head's deadline, whichever comes first. */
  #sleep(deadline: number): Promise<void> {
    if (this.#isWoken) return Promise.resolve();
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        this.#endSleep = null;
        resolve();
      };
      const timer = setTimeout(end, Math.max(1, Math.min(POLL_MS, deadline - this.#elapsed())));
      this.#endSleep = end;
    });
  }
}

/** The wait queues of a call: one for each counter that it commits. */
export function queueKeysOf(checks: readonly Check[]): string[] {
  return checks.flatMap((check) =>
    check.value === null ? [queueKeyOf(check, true)] : [queueKeyOf(check, false), queueKeyOf(check, true)],
  );
}

/** The queue for the counter of a check's value, or for the counter of all its values together. */
function queueKeyOf(check: Check, ofTotal: boolean): string {
  return check.value === null || ofTotal ? check.counter : `${check.counter} ${check.value}`;
}

/** The queue for the counter that had no room. */
export function queueOfFailure(
  checks: readonly Check[],
  { check, ofTotal }: Pick<Failure, 'check' | 'ofTotal'>,
): string {
  return queueKeyOf(checks[check]!, ofTotal);
}

/** The first queue that the call must join, as a reserve would fail; null for none. Exempt calls join no queue. */
export function queuedFailure(checks: readonly Check[], waitQueue: Pick<WaitQueue, 'isQueued'>): Failure | null {
  for (const [check, one] of checks.entries()) {
    if (one.mode !== 'Enforce') continue;
    for (const ofTotal of [false, true]) {
      if (!waitQueue.isQueued(queueKeyOf(one, ofTotal))) continue;
      return { check, ofTotal, waiting: true, spentNano: ZERO, committedNano: ZERO };
    }
  }
  return null;
}
