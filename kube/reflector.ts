import { setTimeout as sleep } from 'node:timers/promises';
import { delay } from './backoff.ts';
import type { KubeClient, Query, WatchEvent } from './client.ts';
import { isKubeError } from './kube-error.ts';
import { type KubeObject, keyOf, type Resource } from './object.ts';

/** What was there and what is there now; never both undefined. Called in order for each key; it must not throw. */
export type OnChange<T> = (key: string, now: T | undefined, before: T | undefined) => void;

interface ReflectorOptions<T> {
  readonly client: Pick<KubeClient, 'list' | 'watch'>;
  readonly resource: Resource;
  readonly query?: Query;
  readonly onChange?: OnChange<T>;
  /** A list or a watch failed and will be tried again. */
  readonly onProblem?: (error: unknown) => void;
  /** Gives [0, 1). */
  readonly random: () => number;
  /** Against changes that a watch lost silently. Milliseconds, default 10 minutes. */
  readonly relistMs?: number;
}

const BACKOFF = { firstMs: 200, maxMs: 10_000 };
/** A watch that ends sooner has failed; a later end is nobody's fault. Milliseconds. */
const SHORT_MS = 1_000;

/**
 * A cache of the objects of a kind, kept current by LIST, then WATCH from there. A watch that ends or breaks goes on
 * from the last version seen; one that is too old leads to a new LIST, and so does `relistMs` now and then. The cache
 * is kept while the server is away: what was known stays in force.
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

  /** Starts to follow; call it once. */
  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Whether the first LIST was taken in. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Resolves with the first LIST. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** By `namespace/name`, or by name for what is cluster-scoped. */
  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** All of them, with their keys. */
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
    const { client, resource, query } = this.#options;
    const { items, resourceVersion } = await client.list<T>(resource, query);
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

  /** Watches until the version is too old or `turn` ends; all other failures only make it pause. */
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
        else this.#failures = 0; // who pauses now would be late for an edit
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
    else if (type !== 'BOOKMARK') this.#put(object);
  }

  #put(object: T): void {
    const key = keyOf(object.metadata);
    const before = this.#objects.get(key);
    // Made anew under the same name while nobody watched: to what depends on it, the old one has gone.
    if (before && before.metadata.uid !== object.metadata.uid) return this.#replace(key, object);
    // As long as it is the same, it stays the same object: others remember what they made of it.
    if (before && before.metadata.resourceVersion === object.metadata.resourceVersion) return;
    this.#objects.set(key, object);
    this.#options.onChange?.(key, object, before);
  }

  #replace(key: string, object: T): void {
    this.#remove(key);
    this.#put(object);
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
