import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Check, Failure } from '../../policy/core/counter-check.ts';
import { ZERO } from '../../policy/core/money.ts';
/** Time between two tries of a queue's head that no settle of this gateway woke: others settle too. Milliseconds. */
const POLL_MS = 100;
/** With more queues than this for a budget, their heads try more seldom: all together no more often than so many would. */
const FULL_RATE_QUEUES = 64;

interface Waiter {
  readonly attempt: () => Promise<boolean>;
  readonly deadline: number;
  readonly leave: () => void;
}

/** Where a call waits: the budget's counter (the pool), the counter that had no room, and the workspace of the call. */
export interface QueuePlace {
  readonly budget: string;
  readonly counter: string;
  readonly workspace: Ref;
}

/**
 * Calls that would fit once calls in flight settle, first come first served: for each counter that had no room a queue of
 * each workspace, so that no workspace stands in another one's way. Only the head of a queue tries, so no call overtakes
 * another one of its workspace, and a full budget costs one try at a time.
 */
export class WaitQueue {
  /** By counter, then by workspace. */
  readonly #queues = new Map<string, Map<Ref, CounterQueue>>();
  /** The number of queues and of calls that wait, by budget and by `budget workspace`. */
  readonly #queueCounts = new Counts();
  readonly #waiterCounts = new Counts();
  readonly #perBudget: number;
  readonly #elapsed: () => number;

  /** `perBudget`: how many calls of a workspace may wait for one budget. `elapsed`: the monotonic clock. Milliseconds. */
  constructor(perBudget: number, elapsed: () => number) {
    this.#perBudget = perBudget;
    this.#elapsed = elapsed;
  }

  /** Whether calls of the workspace wait for the counter: one that comes now joins them and does not overtake. */
  isQueued(counter: string, workspace: Ref): boolean {
    return this.#queues.get(counter)?.has(workspace) ?? false;
  }

  /**
   * Joins a queue and calls `attempt` at its head until it answers true, which resolves to true. Resolves to false at the
   * deadline (by `elapsed`), when `signal` aborts, and at once if too many calls of the workspace wait for the budget.
   */
  join(place: QueuePlace, deadline: number, signal: AbortSignal, attempt: () => Promise<boolean>): Promise<boolean> {
    const key = `${place.budget} ${place.workspace}`;
    if (this.#waiterCounts.of(key) >= this.#perBudget || signal.aborted) return Promise.resolve(false);
    const queue = this.#queues.get(place.counter)?.get(place.workspace) ?? this.#open(place);
    this.#waiterCounts.change(key, 1);
    return new Promise<boolean>((resolve, reject) => {
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
    }).finally(() => this.#waiterCounts.change(key, -1));
  }

  /**
   * A call on these counters was settled or released here: a queue of each tries again now. The workspaces take turns, so
   * that a settle costs one try however many wait.
   */
  wake(counters: Iterable<string>): void {
    if (this.#queues.size === 0) return;
    for (const counter of counters) {
      const queues = this.#queues.get(counter);
      const [next] = queues ?? [];
      if (queues === undefined || next === undefined) continue;
      const [workspace, queue] = next;
      queues.delete(workspace);
      queues.set(workspace, queue);
      queue.wake();
    }
  }

  #open({ budget, counter, workspace }: QueuePlace): CounterQueue {
    const queues = this.#queues.get(counter) ?? new Map<Ref, CounterQueue>();
    const pollMs = () => POLL_MS * Math.max(1, this.#queueCounts.of(budget) / FULL_RATE_QUEUES);
    const queue = new CounterQueue(this.#elapsed, pollMs, () => {
      this.#queueCounts.change(budget, -1);
      queues.delete(workspace);
      if (queues.size === 0) this.#queues.delete(counter);
    });
    this.#queues.set(counter, queues.set(workspace, queue));
    this.#queueCounts.change(budget, 1);
    return queue;
  }
}

class Counts {
  readonly #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  change(key: string, by: number): void {
    const count = this.of(key) + by;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }
}

class CounterQueue {
  readonly #waiters: Waiter[] = [];
  readonly #elapsed: () => number;
  readonly #pollMs: () => number;
  readonly #onEmpty: () => void;
  #isRunning = false;
  #isWoken = false;
  /** Ends the head's sleep; null while it does not sleep. */
  #endSleep: (() => void) | null = null;

  /** `elapsed`: the monotonic clock; `pollMs`: the time until the head tries again by itself. Milliseconds. */
  constructor(elapsed: () => number, pollMs: () => number, onEmpty: () => void) {
    this.#elapsed = elapsed;
    this.#pollMs = pollMs;
    this.#onEmpty = onEmpty;
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
      const timer = setTimeout(end, Math.max(1, Math.min(this.#pollMs(), deadline - this.#elapsed())));
      this.#endSleep = end;
    });
  }
}

/** The counters of a call by the names of their queues: one for each counter that it commits. */
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

/**
 * The first counter whose queue a call of the workspace must join, as a reserve would fail; null for none. Exempt calls join
 * no queue.
 */
export function queuedFailure(
  checks: readonly Check[],
  workspace: Ref,
  waitQueue: Pick<WaitQueue, 'isQueued'>,
): Failure | null {
  for (const [check, one] of checks.entries()) {
    if (one.mode !== 'Enforce') continue;
    for (const ofTotal of [false, true]) {
      if (!waitQueue.isQueued(queueKeyOf(one, ofTotal), workspace)) continue;
      return { check, ofTotal, verdict: 'waiting', spentNano: ZERO, certainNano: ZERO, committedNano: ZERO };
    }
  }
  return null;
}
