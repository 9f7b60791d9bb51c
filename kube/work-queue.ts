import { type Backoff, delay } from './backoff.ts';

interface QueueOptions {
  /** Reconciles the object of the key. If it throws, the key is retried later. */
  readonly work: (key: string) => Promise<void>;
  readonly onError: (key: string, error: unknown) => void;
  readonly workers: number;
  /** For a key that fails repeatedly. Default 50 ms to 60 s. */
  readonly backoff?: Backoff;
  /** Gives [0, 1). */
  readonly random: () => number;
}

/**
 * A work queue as in client-go: it holds a key at most once, two workers never hold the same key, and a key that is added
 * while a worker has it is processed once more afterwards. So no change is lost, and a burst of changes costs one pass.
 */
export class WorkQueue {
  readonly #options: QueueOptions;
  readonly #waiting = new Set<string>();
  /** Keys that a worker has, with the start of the pass. */
  readonly #working = new Map<string, number>();
  /** Keys that were added while a worker had them. */
  readonly #again = new Set<string>();
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly at: number }>();
  readonly #failures = new Map<string, number>();
  #state: 'new' | 'running' | 'drained' = 'new';
  #idle = Promise.withResolvers<void>();

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Starts the workers. Keys that were added before are kept. */
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

  /** Adds the key after `ms`; of several calls for a key the earliest time counts. */
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

  /** How many keys wait for a worker or are with one. */
  get depth(): number {
    return this.#waiting.size + this.#working.size;
  }

  /** The age of the oldest running pass in milliseconds; 0 if none is running. */
  get longestMs(): number {
    const now = performance.now();
    return now - Math.min(now, ...this.#working.values());
  }

  /** Accepts no more keys, drops those that wait, and resolves once the workers have ended. */
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
