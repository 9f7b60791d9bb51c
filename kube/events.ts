import type { KubeClient } from './client.ts';
import { isKubeError } from './kube-error.ts';
import type { KubeObject, Resource } from './object.ts';
import { microTime } from './time.ts';

/** What a person should see in `kubectl describe` of the object. */
export interface EventDetails {
  readonly type: 'Normal' | 'Warning';
  /** One CamelCase word. */
  readonly reason: string;
  /** What was done or decided, one CamelCase word, e.g. `Compile`. */
  readonly action: string;
  /** A sentence. No credential. */
  readonly note: string;
}

interface EventsOptions {
  readonly client: Pick<KubeClient, 'create' | 'merge'>;
  /** E.g. `tollgate.dev/operator`. */
  readonly controller: string;
  /** Which of its replicas. */
  readonly instance: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Events are told, not guaranteed: what could not be written ends here. */
  readonly onProblem?: (error: unknown) => void;
}

interface Series {
  readonly name: string;
  readonly note: string;
  count: number;
  at: number;
}

interface KubeEvent extends KubeObject {
  readonly [field: string]: unknown;
}

const events: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' };
/** The same reason about the same object within this time is one event with a count. */
const SERIES_MS = 10 * 60_000;
/** Of one object: so many at once, then one more each `REFILL_MS`. */
const BURST = 25;
const REFILL_MS = 5 * 60_000;
/** Of all objects together, ordinary news and warnings by themselves: thousands of objects may be new at once. */
const TOTAL_BURST = 50;
const TOTAL_REFILL_MS = 200;
/** Objects and series remembered; the oldest are forgotten first. */
const REMEMBERED = 4096;

/** Writes Events of events.k8s.io/v1: repeated ones become a series, and no object can have written more than a few. */
export class Events {
  readonly #options: EventsOptions;
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, { tokens: number; at: number }>();
  #sequence = 0;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /** Resolves when the event is written or given up; it never rejects. */
  async tell(about: KubeObject, happening: EventDetails): Promise<void> {
    const { uid, namespace = 'default', name } = about.metadata;
    const now = this.#options.clock();
    if (!this.#spend(happening.type, TOTAL_BURST, TOTAL_REFILL_MS, now)) return;
    if (!this.#spend(uid ?? name, BURST, REFILL_MS, now)) return;
    const key = `${uid}/${happening.reason}`;
    const series = this.#series.get(key);
    try {
      if (series && series.note === happening.note && now - series.at < SERIES_MS) {
        series.count += 1;
        series.at = now;
        await this.#repeat(namespace, series);
        return;
      }
      const made = { name: `${name}.${now.toString(36)}${(this.#sequence++).toString(36)}`, note: happening.note };
      remember(this.#series, key, { ...made, count: 1, at: now });
      await this.#options.client.create<KubeEvent>(events, this.#event(about, made.name, happening, now));
    } catch (error) {
      this.#series.delete(key); // it may have expired on the server: the next one is told anew
      if (!isKubeError(error, 'NotFound')) this.#options.onProblem?.(error);
    }
  }

  #spend(name: string, burst: number, refillMs: number, now: number): boolean {
    const bucket = this.#buckets.get(name) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, bucket.tokens + (now - bucket.at) / refillMs);
    remember(this.#buckets, name, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }

  #repeat(namespace: string, { name, count, at }: Series): Promise<KubeEvent> {
    const series = { count, lastObservedTime: microTime(at) };
    return this.#options.client.merge<KubeEvent>(events, { namespace, name }, { series });
  }

  #event(about: KubeObject, name: string, { type, reason, action, note }: EventDetails, now: number): KubeEvent {
    const { controller, instance } = this.#options;
    const { namespace, uid, resourceVersion } = about.metadata;
    return {
      metadata: { name, namespace: namespace ?? 'default' },
      eventTime: microTime(now),
      reportingController: controller,
      reportingInstance: instance,
      type,
      reason,
      action,
      note: note.length > 1024 ? `${note.slice(0, 1023)}…` : note,
      regarding: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        name: about.metadata.name,
        namespace,
        uid,
        resourceVersion,
      },
    };
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED && oldest !== undefined) map.delete(oldest);
}
