import type { KubeClient } from '../../kube/client.ts';
import type { Events } from '../../kube/events.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import { type KubeObject, keyOf, type Resource } from '../../kube/object.ts';
import { deepEqual } from '../../policy/core/deep-equal.ts';
import { FIELD_MANAGER } from '../cluster/object-names.ts';
import { statusEvents } from '../events/status-events.ts';
import { type StatusChange, statusChange } from './status-change.ts';
import type { Status, WantedStatus } from './status-planner.ts';
import { StatusRateLimit, URGENT_IN_FLIGHT } from './status-rate-limit.ts';

interface StatusWriterOptions {
  readonly client: Pick<KubeClient, 'applyStatus' | 'mergeStatus'>;
  readonly events: Pick<Events, 'record'>;
  /** A monotonic clock, in milliseconds. */
  readonly elapsed: () => number;
  readonly mayAct: () => boolean;
  readonly onWritten: (resource: Resource) => void;
  readonly onProblem: (object: string, error: unknown) => void;
}

interface Entry extends WantedStatus {
  readonly written: Status | undefined;
  readonly writtenAt: number;
  /** The object's version with the written status. */
  readonly version: string | undefined;
  /** What somebody else wrote over it, and the object's version then; null where nobody did. */
  readonly found: { readonly status: Status; readonly version: string | undefined } | null;
}

/** A budget whose figures were written this recently is likely to change again. Milliseconds. */
const RECENT_MS = 10_000;

/** Writes each wanted status that differs from the written one, as the rate limit allows, and the Events that follow from it. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #rateLimit = new StatusRateLimit();
  /** By uid, because an object that was deleted and made again starts afresh. */
  readonly #entries = new Map<string, Entry>();
  /** The entries whose written status is not the wanted one, oldest change first. */
  readonly #urgent = new Map<string, StatusChange>();
  readonly #figures = new Map<string, StatusChange>();
  readonly #inFlight = new Map<string, Promise<unknown>>();
  /** What is being written. */
  readonly #sending = new Map<string, Status>();
  /** Whose figures were written lately, and when; oldest first. */
  readonly #recent = new Map<string, number>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** The status as this replica last wrote it or, before that, as it was found. */
  lastWritten({ metadata, status }: WantedStatus['object']): Status | undefined {
    return this.#entries.get(metadata.uid ?? '')?.written ?? status;
  }

  want(wanted: WantedStatus): void {
    const { uid = '' } = wanted.object.metadata;
    this.#put(uid, { ...(this.#entries.get(uid) ?? asFound(wanted.object)), ...wanted });
  }

  /** Takes an object as its informer has it: a status that somebody else has changed is written again. */
  see({ metadata, status = {} }: WantedStatus['object']): void {
    const { uid = '', resourceVersion: version } = metadata;
    const entry = this.#entries.get(uid);
    if (entry === undefined || !isLater(version, entry.version)) return;
    const isOurs = [entry.written, this.#sending.get(uid)].some((ours) => deepEqual(status, ours));
    this.#put(uid, { ...entry, found: isOurs ? null : { status, version } });
  }

  get isBehind(): boolean {
    return this.#urgent.size + this.#figures.size > 0;
  }

  /** Whether an urgent change waits whose write has not begun. */
  get isUrgent(): boolean {
    return this.#waiting(this.#urgent, 1).length > 0;
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
    this.#drop(uid);
  }

  /** Forgets everything: another leader may have written since, so the statuses found count. */
  reset(): void {
    for (const map of [this.#entries, this.#urgent, this.#figures, this.#recent]) map.clear();
  }

  /**
   * Takes from the rate limit the uids that may be written now, at `at` (milliseconds of a monotonic clock); the caller must
   * write them. `toRead`: the objects to read once more before `figures` are written: these, and others that changed lately.
   */
  due() {
    const at = this.#options.elapsed();
    const taken = this.#rateLimit.take([...this.#urgentToBegin(), ...this.#waiting(this.#figures)], at);
    const urgent = taken.filter((uid) => !this.#figures.has(uid));
    const figures = taken.filter((uid) => this.#figures.has(uid));
    const toRead = figures.length === 0 ? [] : [...figures, ...this.#recentlyWritten(at)];
    for (const uid of figures) {
      this.#recent.delete(uid); // so that it moves to the end
      this.#recent.set(uid, at);
    }
    const objects = toRead.flatMap((uid) => this.#entries.get(uid)?.object ?? []);
    return { at, urgent, figures, toRead: objects.map(({ metadata }) => keyOf(metadata)) };
  }

  /** Begins to write without waiting, so that a slow write delays no other. Skips what was begun meanwhile. */
  write(uids: readonly string[], at: number): void {
    for (const uid of uids) this.#begin(uid, at);
  }

  async settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight.values());
  }

  #urgentToBegin(): readonly StatusChange[] {
    return this.#waiting(this.#urgent, Math.max(0, URGENT_IN_FLIGHT - this.#inFlight.size));
  }

  /** The first `most` changes whose write has not begun. */
  #waiting(changes: ReadonlyMap<string, StatusChange>, most = Number.POSITIVE_INFINITY): readonly StatusChange[] {
    const waiting: StatusChange[] = [];
    for (const change of changes.values()) {
      if (waiting.length >= most) break;
      if (!this.#inFlight.has(change.uid)) waiting.push(change);
    }
    return waiting;
  }

  /** The objects that were written lately and are up to date: the sooner their next change is seen, the fairer is the order. */
  #recentlyWritten(now: number): readonly string[] {
    for (const [uid, writtenAt] of this.#recent) {
      if (now - writtenAt <= RECENT_MS) break;
      this.#recent.delete(uid);
    }
    return [...this.#recent.keys()].filter((uid) => !this.#urgent.has(uid) && !this.#figures.has(uid));
  }

  #begin(uid: string, at: number): void {
    const isWaiting = this.#urgent.has(uid) || this.#figures.has(uid);
    if (!isWaiting || this.#inFlight.has(uid) || !this.#options.mayAct()) return;
    const entry = this.#entries.get(uid)!;
    this.#sending.set(uid, entry.status);
    const written = this.#write(uid, entry, at)
      .finally(() => {
        this.#inFlight.delete(uid);
        this.#sending.delete(uid);
      })
      .then((isWritten) => isWritten && this.#beginNext());
    this.#inFlight.set(uid, written);
  }

  /** After a write the next urgent one begins at once: thousands of them need not wait for the next turn of the loop. */
  #beginNext(): void {
    if (this.#urgent.size === 0) return;
    const now = this.#options.elapsed();
    this.write(this.#rateLimit.take(this.#urgentToBegin(), now), now);
  }

  /** Returns whether it was written. */
  async #write(uid: string, entry: Entry, at: number): Promise<boolean> {
    const { client, events, onWritten, onProblem } = this.#options;
    const { resource, object, status, written, found } = entry;
    const { namespace, name } = object.metadata;
    const { apiVersion, kind } = resource;
    try {
      // The uid makes the write fail where another object has taken the name.
      const body: WantedStatus['object'] = { apiVersion, kind, metadata: { namespace, name, uid }, status };
      const added = found === null ? {} : addedBy(found.status, status);
      const patch = { metadata: { uid }, status: added };
      if (Object.keys(added).length > 0) await client.mergeStatus(resource, object.metadata, patch);
      const { metadata } = await client.applyStatus(resource, body, { fieldManager: FIELD_MANAGER });
      const version = metadata.resourceVersion;
      const since = this.#entries.get(uid)?.found ?? null;
      const isNewer = since !== null && isLater(since.version, version);
      this.#putLast(uid, { written: status, writtenAt: at, version, found: isNewer ? since : null });
      onWritten(resource);
      const about: KubeObject = { ...object, apiVersion, kind };
      for (const event of statusEvents(written, status)) void events.record(about, event);
      return true;
    } catch (error) {
      if (isKubeError(error, 'NotFound', 'Conflict')) {
        this.forget(uid);
      } else {
        this.#putLast(uid);
        onProblem(`${kind} ${keyOf(object.metadata)}`, error);
      }
      return false;
    }
  }

  /** A status that could not be written, or was wanted otherwise during the write, waits behind those that waited before. */
  #putLast(uid: string, changes?: Pick<Entry, 'written' | 'writtenAt' | 'version' | 'found'>): void {
    const latest = this.#entries.get(uid);
    this.#drop(uid);
    if (latest !== undefined) this.#put(uid, { ...latest, ...changes });
  }

  /** An entry that waits already keeps its place. */
  #put(uid: string, entry: Entry): void {
    this.#entries.set(uid, entry);
    const { written, found, status, writtenAt } = entry;
    const change = statusChange(uid, found === null ? written : found.status, status, writtenAt);
    // A repair has no precedence: whoever edits one status again and again holds up no other.
    const ranked = change === null || found === null ? change : { ...change, isUrgent: false, isLarge: false };
    const [own, other] = ranked?.isUrgent === true ? [this.#urgent, this.#figures] : [this.#figures, this.#urgent];
    other.delete(uid);
    if (ranked === null) own.delete(uid);
    else own.set(uid, ranked);
  }

  #drop(uid: string): void {
    this.#urgent.delete(uid);
    this.#figures.delete(uid);
  }
}

/** An object that this replica has not written yet: the status that it has counts as written. */
function asFound({
  metadata,
  status,
}: WantedStatus['object']): Pick<Entry, 'written' | 'writtenAt' | 'version' | 'found'> {
  const version = metadata.resourceVersion;
  return { written: status, writtenAt: Number.NEGATIVE_INFINITY, version, found: null };
}

/** A patch that removes what a foreign edit added to a status: an apply leaves fields that it never owned. */
function addedBy(found: Status, ours: Status): Readonly<Record<string, unknown>> {
  const fields = Object.keys(found).filter((field) => !Object.hasOwn(ours, field));
  const types = new Set(ours.conditions?.map(({ type }) => type));
  const isAdded = found.conditions?.some(({ type }) => !types.has(type)) === true;
  const conditions = isAdded ? { conditions: ours.conditions } : {};
  return { ...Object.fromEntries(fields.map((field) => [field, null])), ...conditions };
}

/** Versions of one object are numbers that rise. */
function isLater(version: string | undefined, than: string | undefined): boolean {
  return version !== undefined && than !== undefined && BigInt(version) > BigInt(than);
}
