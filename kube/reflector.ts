import { setTimeout as sleep } from 'node:timers/promises';
import { delay } from './backoff.ts';
import type { KubeClient, Query, WatchEvent } from './client.ts';
import { isKubeError } from './kube-error.ts';
import { type KubeObject, keyOf, type Resource } from './object.ts';

/** Called with the object before and after a change, never both undefined; in order for each key. It must not throw. */
export type OnChange<T> = (key: string, now: T | undefined, before: T | undefined) => void;

interface ReflectorOptions<T> {
  readonly client: Pick<KubeClient, 'list' | 'watch'>;
  readonly resource: Resource;
  readonly query?: Query;
  /** What is kept of an object. It must keep what identifies it, and its `resourceVersion`. */
  readonly reduce?: (object: T) => T;
  readonly onChange?: OnChange<T>;
  /** A list or a watch failed and will be retried. */
  readonly onProblem?: (error: unknown) => void;
  /** Gives [0, 1). */
  readonly random: () => number;
  /** How often to list again, in case a watch has lost changes. Milliseconds, default 10 minutes. */
  readonly relistMs?: number;
}

const BACKOFF = { firstMs: 200, maxMs: 10_000 };
/** A watch that ends sooner counts as failed. Milliseconds. */
const SHORT_MS = 1_000;

/**
 * A cache of the objects of a kind, filled by LIST and kept current by WATCH. A watch that ends or fails continues from the
 * last version seen; a version that is too old leads to a new LIST, as does the time `relistMs`. The cache is kept while the
 * API server is out of reach.
 */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #stop = new AbortController();
  #version: string | undefined;
  #failures = 0;
  #running: Promise<void> = Promise.resolve();
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
  }

  /** Starts to list and watch; call it once. */
  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Whether the first LIST is in the cache. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Resolves once the first LIST is in the cache. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** The object of a key as `keyOf` makes it. */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** All objects with their keys. */
  entries(): IterableIterator<readonly [string, T]> {
    return this.#objects.entries();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { relistMs = 600_000, random, onProblem } = this.#options;
    while (!signal.aborted) {
      const turn = AbortSignal.any([signal, AbortSignal.timeout(Math.round(relistMs * (0.75 + random() / 2)))]);
      try {
        await this.#list();
        await this.#follow(turn);
      } catch (error) {
        if (signal.aborted) return;
        onProblem?.(error);
        await this.#pause();
      }
    }
  }

  async #list(): Promise<void> {
    const { client, resource, query, reduce } = this.#options;
    const { items, resourceVersion } = await client.list<T>(resource, query, reduce);
    if (this.#stop.signal.aborted) return;
    const gone = new Set(this.#objects.keys());
    for (const item of items) {
      gone.delete(keyOf(item.metadata));
      this.#put(item);
    }
    for (const key of gone) this.#remove(key);
    this.#version = resourceVersion;
    this.#failures = 0;
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  /** Watches until the version is too old or `turn` ends; after other failures it pauses and goes on. */
  async #follow(turn: AbortSignal): Promise<void> {
    const { client, resource, query = {}, random, onProblem } = this.#options;
    while (!turn.aborted) {
      const timeoutSeconds = Math.round(240 + 60 * random());
      const resourceVersion = this.#version ?? '';
      const begun = performance.now();
      try {
        for await (const event of client.watch<T>(resource, query, { resourceVersion, timeoutSeconds, signal: turn })) {
          this.#take(event);
        }
        if (performance.now() - begun < SHORT_MS) await this.#pause();
        else this.#failures = 0; // a pause would delay the next edit
      } catch (error) {
        if (turn.aborted || isKubeError(error, 'Gone')) return;
        onProblem?.(error);
        await this.#pause();
      }
    }
  }

  #take({ type, object }: WatchEvent<T>): void {
    this.#failures = 0;
    this.#version = object.metadata.resourceVersion;
    if (type === 'DELETED') this.#remove(keyOf(object.metadata));
    else if (type !== 'BOOKMARK') this.#put(this.#options.reduce?.(object) ?? object);
  }

  #put(object: T): void {
    const key = keyOf(object.metadata);
    const before = this.#objects.get(key);
    // Deleted and re-created while no watch ran: report the deletion first.
    if (before && before.metadata.uid !== object.metadata.uid) {
      this.#remove(key);
      return this.#put(object);
    }
    // Keep the identity of an unchanged object: callers cache what they derived from it.
    if (before && before.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.set(key, object);
    this.#options.onChange?.(key, object, before);
  }

  #remove(key: string): void {
    const before = this.#objects.get(key);
    if (this.#objects.delete(key)) this.#options.onChange?.(key, undefined, before);
  }

  async #pause(): Promise<void> {
    this.#failures += 1;
    const { signal } = this.#stop;
    await sleep(delay(BACKOFF, this.#failures, this.#options.random), undefined, { signal }).catch(() => undefined);
  }
}
