import { type Backoff, delay } from './backoff.ts';

interface QueueOptions {
  /** Brings what the key names to what it should be. A throw means: again, later. */
  readonly work: (key: string) => Promise<void>;
  readonly onError: (key: string, error: unknown) => void;
  readonly workers: number;
  /** Of one key that fails again and again. Default 50 ms to 60 s. */
  readonly backoff?: Backoff;
  /** Gives [0, 1). */
  readonly random: () => number;
}

/**
 * A work queue as in client-go: a key is there at most once, two workers never hold the same key, and a key that is
 * added while it is worked on is worked on once more afterwards. So no change is lost and a burst of them costs one
 * pass.
 */
export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #waiting = new Set<string>();
  /** With when the pass was begun. */
  readonly #working = new Map<string, number>();
  /** Added while being worked on. */
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly at: number }>();
  readonly #failures = new Map<string, number>();
  #state: 'new' | 'running' | 'drained' = 'new';
  #idle = Promise.withResolvers<void>();

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Starts the workers; what was added before is kept until then. */
  start(): void {
    this.#state = 'running';
    this.#next();
  }

  add(key: string): void {
    if (this.#state === 'drained') return;
    if (this.#working.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    this.#next();
  }

  /** Adds the key once `ms` have passed; of several such wishes the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (this.#state === 'drained') return;
    const at = performance.now() + ms;
    const planned = this.#timers.get(key);
    if (planned && planned.at <= at) return;
    clearTimeout(planned?.timer);
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, ms);
    this.#timers.set(key, { timer, at });
  }

  /** Keys that wait for a worker or are with one. */
  get depth(): number {
    return this.#waiting.size + this.#working.size;
  }

  /** How long the longest pass that is under way has taken; 0 where none is. Milliseconds. */
  get longestMs(): number {
    const now = performance.now();
    return now - Math.min(now, ...this.#working.values());
  }

  /** Takes nothing more, drops what waits, and resolves once the workers have ended. */
  async drain(): Promise<void> {
    this.#state = 'drained';
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#waiting.clear();
    this.#again.clear();
    if (this.#working.size > 0) await this.#idle.promise;
  }

  #next(): void {
    while (this.#state === 'running' && this.#working.size < this.#options.workers) {
      const [key] = this.#waiting;
      if (key === undefined) return;
      this.#waiting.delete(key);
      this.#working.set(key, performance.now());
      void this.#work(key);
    }
  }

  async #work(key: string): Promise<void> {
    try {
      await this.#options.work(key);
      this.#failures.delete(key);
    } catch (error) {
      this.#options.onError(key, error);
      this.#retry(key);
    }
    this.#working.delete(key);
    if (this.#again.delete(key)) this.add(key);
    this.#next();
    if (this.#state === 'drained' && this.#working.size === 0) this.#idle.resolve();
  }

  #retry(key: string): void {
    const { backoff = { firstMs: 50, maxMs: 60_000 }, random } = this.#options;
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.addAfter(key, delay(backoff, failures, random));
  }
}
