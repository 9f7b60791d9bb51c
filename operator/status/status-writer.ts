import type { ClaudeBudgetStatus, ClaudeWorkspaceStatus, Condition } from '../../crds/types.gen.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { Events } from '../../kube/events.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import { type KubeObject, keyOf, type Resource } from '../../kube/object.ts';
import { deepEqual } from '../../policy/core/deep-equal.ts';
import { parseUsd } from '../../policy/core/money.ts';
import { FIELD_MANAGER } from '../cluster/kube-kinds.ts';
import { statusEvents } from '../events/status-events.ts';
import { type Change, StatusRateLimit, URGENT_AT_ONCE } from './status-rate-limit.ts';

type Status = ClaudeBudgetStatus & ClaudeWorkspaceStatus;

interface Subject extends KubeObject {
  readonly status?: Status;
}

interface StatusWriterOptions {
  readonly client: Pick<KubeClient, 'applyStatus'>;
  readonly events: Pick<Events, 'tell'>;
  /** A clock that never jumps. Milliseconds. */
  readonly elapsed: () => number;
  /** Whether this replica may write now. */
  readonly mayAct: () => boolean;
  readonly onWritten: (resource: Resource) => void;
  readonly onProblem: (key: string, error: unknown) => void;
}

interface Entry {
  readonly resource: Resource;
  readonly subject: Subject;
  readonly written: Status | undefined;
  readonly writtenAt: number;
  readonly wanted: Status;
}

/** A budget whose figures were written so recently is likely to change again. Milliseconds. */
const LIVELY_MS = 10_000;

/** Writes each status that is not yet what it should be, at its pace, and tells what happened. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #pace = new StatusRateLimit();
  /** By uid: another object of the same name is another one. */
  readonly #entries = new Map<string, Entry>();
  /** Of those entries that are not yet what they should be, in the order in which they ceased to be: states, and figures. */
  readonly #states = new Map<string, Change>();
  readonly #figures = new Map<string, Change>();
  readonly #underWay = new Map<string, Promise<unknown>>();
  /** Whose figures were written last, and when. */
  readonly #lively = new Map<string, number>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** The status as it was last written or, before that, as it was found. */
  known({ metadata, status }: Subject): Status | undefined {
    return this.#entries.get(uidOf(metadata))?.written ?? status;
  }

  /** Says what the status of an object should be. */
  want(resource: Resource, subject: Subject, wanted: Status): void {
    const uid = uidOf(subject.metadata);
    const { written = subject.status, writtenAt = Number.NEGATIVE_INFINITY } = this.#entries.get(uid) ?? {};
    this.#put(uid, { resource, subject, written, writtenAt, wanted });
  }

  /** Whether something waits to be written. */
  get isBehind(): boolean {
    return this.#states.size + this.#figures.size > 0;
  }

  /** Whether a change of state waits for somebody to begin to write it. */
  get isUrgent(): boolean {
    return this.#waiting(this.#states, 1).length > 0;
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
    this.#settle(uid);
  }

  /** Another leader may have written since: what is found counts, and not what was written here. */
  forgetAll(): void {
    for (const known of [this.#entries, this.#states, this.#figures, this.#lively]) known.clear();
  }

  /**
   * Begins to write what is due, and does not wait for it: the slowest write holds up no other. `again` may want something
   * newer of the subjects whose figures are about to be written, or soon will be.
   */
  async flush(again: (subjects: readonly Subject[]) => Promise<unknown>): Promise<void> {
    const now = this.#options.elapsed();
    const due = this.#pace.due([...this.#statesToBegin(), ...this.#waiting(this.#figures)], now);
    const figures = due.filter((uid) => this.#figures.has(uid));
    // States do not wait for that reading.
    for (const uid of due) if (!this.#figures.has(uid)) this.#begin(uid, now);
    if (figures.length > 0) await again(this.#subjects([...figures, ...this.#quiet(now)]));
    for (const uid of figures) this.#enliven(uid, now);
    for (const uid of figures) this.#begin(uid, now);
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values());
  }

  #statesToBegin(): readonly Change[] {
    return this.#waiting(this.#states, Math.max(0, URGENT_AT_ONCE - this.#underWay.size));
  }

  /** Where a write has ended, the next state is begun: thousands of them do not wait for whoever works them out. */
  #goOn(): void {
    if (this.#states.size === 0) return;
    const now = this.#options.elapsed();
    for (const uid of this.#pace.due(this.#statesToBegin(), now)) this.#begin(uid, now);
  }

  /** The first of those that nobody writes yet, at most so many. */
  #waiting(changes: ReadonlyMap<string, Change>, most = Number.POSITIVE_INFINITY): readonly Change[] {
    const waiting: Change[] = [];
    for (const change of changes.values()) {
      if (waiting.length >= most) break;
      if (!this.#underWay.has(change.key)) waiting.push(change);
    }
    return waiting;
  }

  /** Not what is begun or settled by now: others went on while figures were read. */
  #begin(uid: string, now: number): void {
    const isWaiting = this.#states.has(uid) || this.#figures.has(uid);
    if (!isWaiting || this.#underWay.has(uid) || !this.#options.mayAct()) return;
    const written = this.#write(uid, this.#entries.get(uid)!, now)
      .finally(() => this.#underWay.delete(uid))
      .then((isWritten) => isWritten && this.#goOn());
    this.#underWay.set(uid, written);
  }

  #subjects(uids: readonly string[]): readonly Subject[] {
    return uids.flatMap((uid) => this.#entries.get(uid)?.subject ?? []);
  }

  #enliven(uid: string, now: number): void {
    this.#lively.delete(uid);
    this.#lively.set(uid, now);
  }

  /** What changed a moment ago and says what it should: the sooner it is seen to change again, the truer is the order. */
  #quiet(now: number): readonly string[] {
    for (const [uid, writtenAt] of this.#lively) {
      if (now - writtenAt <= LIVELY_MS) break;
      this.#lively.delete(uid);
    }
    return [...this.#lively.keys()].filter((uid) => !this.#states.has(uid) && !this.#figures.has(uid));
  }

  /** Returns whether it was written. */
  async #write(uid: string, entry: Entry, now: number): Promise<boolean> {
    const { client, events, onWritten, onProblem } = this.#options;
    const { resource, subject, wanted, written } = entry;
    const { namespace, name } = subject.metadata;
    const { apiVersion, kind } = resource;
    try {
      // With its uid the write fails where another object has taken the name.
      const body = { apiVersion, kind, metadata: { namespace, name, uid }, status: wanted };
      await client.applyStatus(resource, body, { fieldManager: FIELD_MANAGER });
      this.#note(uid, wanted, now);
      onWritten(resource);
      const about = { ...subject, apiVersion, kind };
      for (const happening of statusEvents(written, wanted)) void events.tell(about, happening);
      return true;
    } catch (error) {
      if (isKubeError(error, 'NotFound', 'Conflict')) {
        this.forget(uid);
      } else {
        this.#defer(uid);
        onProblem(`${kind} ${keyOf(subject.metadata)}`, error);
      }
      return false;
    }
  }

  /** What could not be written waits behind the others. */
  #defer(uid: string): void {
    const entry = this.#entries.get(uid);
    this.#settle(uid);
    if (entry !== undefined) this.#put(uid, entry);
  }

  /** What was wanted meanwhile stays wanted, and has waited since now. */
  #note(uid: string, written: Status, writtenAt: number): void {
    const latest = this.#entries.get(uid);
    if (latest === undefined) return;
    this.#settle(uid);
    this.#put(uid, { ...latest, written, writtenAt });
  }

  /** What waits already keeps its place. */
  #put(uid: string, entry: Entry): void {
    this.#entries.set(uid, entry);
    const change = changeOf(uid, entry);
    const [one, other] = change?.isUrgent === true ? [this.#states, this.#figures] : [this.#figures, this.#states];
    other.delete(uid);
    if (change === null) one.delete(uid);
    else one.set(uid, change);
  }

  #settle(uid: string): void {
    this.#states.delete(uid);
    this.#figures.delete(uid);
  }
}

function uidOf({ uid }: Subject['metadata']): string {
  return uid ?? '';
}

function changeOf(key: string, { written, wanted, writtenAt }: Entry): Change | null {
  if (deepEqual(written, wanted)) return null;
  const isUrgent = !isUnderWay(wanted) && !deepEqual(headline(written), headline(wanted));
  return { key, isUrgent, isLarge: isLargeMove(written, wanted), writtenAt };
}

/** It is on its way to the gateways: what comes of that is worth more than to say so. */
function isUnderWay({ conditions = [] }: Status): boolean {
  return conditions.some(({ type, reason }) => type === 'Programmed' && reason === 'Pending');
}

/** What is written at once when it changes. A condition's message may hold figures and waits with them. */
function headline(status: Status | undefined): unknown {
  const { conditions = [], state, period, limitUsd, workspace, keys, budgetCount } = status ?? {};
  const short = ({ type, status, reason, observedGeneration }: Condition) => [type, status, reason, observedGeneration];
  return { conditions: conditions.map(short), state, period, limitUsd, workspace, keys, budgetCount };
}

function isLargeMove(before: Status | undefined, after: Status): boolean {
  if (before?.spentUsd === undefined || after.spentUsd === undefined || after.limitUsd === undefined) return true;
  const move = parseUsd(after.spentUsd) - parseUsd(before.spentUsd);
  return (move < 0n ? -move : move) * 100n >= parseUsd(after.limitUsd);
}
