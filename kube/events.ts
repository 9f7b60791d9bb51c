import type { KubeClient } from './client.ts';
import { microTime } from './kinds.ts';
import { isKubeError } from './kube-error.ts';
import type { KubeObject, Resource } from './object.ts';
import { TokenBucket } from './token-bucket.ts';

/** An entry under Events in `kubectl describe` of an object. */
export interface EventDetails {
  readonly type: 'Normal' | 'Warning';
  /** One CamelCase word. */
  readonly reason: string;
  /** What was done or decided, one CamelCase word, e.g. `Compile`. */
  readonly action: string;
  /** A sentence without credentials. */
  readonly note: string;
}

interface EventsOptions {
  readonly client: Pick<KubeClient, 'create' | 'merge'>;
  /** E.g. `tollgate.dev/operator`. */
  readonly controller: string;
  /** The replica of the controller. */
  readonly instance: string;
  /** The controller's own namespace: its Events have a bound of their own, so that no tenant's can push them out. */
  readonly namespace: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Called when an event could not be written; it is not retried. */
  readonly onProblem?: (error: unknown) => void;
}

interface Series {
  readonly name: string;
  readonly note: string;
  count: number;
  at: number;
}

type KubeEvent = KubeObject & Readonly<Record<string, unknown>>;

const events: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' };
/** Within this time the same reason about the same object is one event with a count. */
const SERIES_MS = 10 * 60_000;
/** Of one object. */
const newBucket = () => new TokenBucket(25, { tokens: 1, ms: 5 * 60_000 });
/** Of a namespace, so that a tenant who provokes Events of many objects leaves room for others. */
const newNamespaceBucket = () => new TokenBucket(25, { tokens: 1, ms: 1_000 });
/** Of all namespaces together, separately for Normal and Warning: thousands of objects may be new at once. */
const newTotalBucket = () => new TokenBucket(50, { tokens: 5, ms: 1_000 });
/** How many objects, namespaces and series are kept; the least recently used are dropped first. */
const REMEMBERED = 4096;

/** Writes Events of events.k8s.io/v1. Repeated ones become a series, and their rate is limited. */
export class Events {
  readonly #options: EventsOptions;
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #namespaces = new Map<string, TokenBucket>();
  readonly #totals = { Normal: newTotalBucket(), Warning: newTotalBucket() };
  #sequence = 0;

  constructor(options: EventsOptions) {
    this.#options = options;
  }

  /** Resolves when the event is written or dropped; never rejects. */
  async record(about: KubeObject, event: EventDetails): Promise<void> {
    const { uid, namespace = 'default', name } = about.metadata;
    const now = this.#options.clock();
    if (!this.#isAllowed(event.type, uid ?? name, namespace, now)) return;
    const key = `${uid}/${event.reason}`;
    const series = this.#series.get(key);
    try {
      if (series && series.note === event.note && now - series.at < SERIES_MS) {
        series.count += 1;
        series.at = now;
        await this.#repeat(namespace, series);
        return;
      }
      const made = { name: `${name}.${now.toString(36)}${(this.#sequence++).toString(36)}`, note: event.note };
      remember(this.#series, key, { ...made, count: 1, at: now });
      await this.#options.client.create<KubeEvent>(events, this.#event(about, made.name, event, now));
    } catch (error) {
      this.#series.delete(key); // it may have expired on the server: the next one is a new event
      if (!isKubeError(error, 'NotFound')) this.#options.onProblem?.(error);
    }
  }

  /** The narrowest bound comes first: what it drops takes nothing from others. */
  #isAllowed(type: EventDetails['type'], object: string, namespace: string, now: number): boolean {
    const own = bucketOf(this.#buckets, object, newBucket);
    if (own.take(1, now) === 0) return false;
    if (namespace === this.#options.namespace) return true;
    const shared = bucketOf(this.#namespaces, `${namespace} ${type}`, newNamespaceBucket);
    return shared.take(1, now) === 1 && this.#totals[type].take(1, now) === 1;
  }

  #repeat(namespace: string, { name, count, at }: Series): Promise<KubeEvent> {
    const series = { count, lastObservedTime: microTime(at) };
    return this.#options.client.merge<KubeEvent>(events, { namespace, name }, { series });
  }

  #event(about: KubeObject, eventName: string, details: EventDetails, now: number): KubeEvent {
    const { controller, instance } = this.#options;
    const { apiVersion, kind, metadata } = about;
    const { name, namespace, uid, resourceVersion } = metadata;
    const { note } = details;
    return {
      metadata: { name: eventName, namespace: namespace ?? 'default' },
      eventTime: microTime(now),
      reportingController: controller,
      reportingInstance: instance,
      ...details,
      note: note.length > 1024 ? `${note.slice(0, 1023)}…` : note,
      regarding: { apiVersion, kind, name, namespace, uid, resourceVersion },
    };
  }
}

function bucketOf(buckets: Map<string, TokenBucket>, name: string, make: () => TokenBucket): TokenBucket {
  const bucket = buckets.get(name) ?? make();
  remember(buckets, name, bucket);
  return bucket;
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED && oldest !== undefined) map.delete(oldest);
}
