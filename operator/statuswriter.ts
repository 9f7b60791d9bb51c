import { isDeepStrictEqual } from 'node:util';
import type { ClaudeBudgetStatus, ClaudeWorkspaceStatus, Condition } from '../crds/types.gen.ts';
import type { KubeClient } from '../kube/client.ts';
import type { Events } from '../kube/events.ts';
import { type KubeObject, keyOf, type Resource } from '../kube/object.ts';
import { isProblem } from '../kube/problem.ts';
import { parseUsd } from '../policy/money.ts';
import { happenings } from './happenings.ts';
import { type Change, Pace } from './pace.ts';
import { FIELD_MANAGER } from './resources.ts';

type Status = ClaudeBudgetStatus & ClaudeWorkspaceStatus;

interface Subject extends KubeObject {
  readonly status?: Status;
}

interface StatusWriterOptions {
  readonly client: Pick<KubeClient, 'applyStatus'>;
  readonly events: Pick<Events, 'tell'>;
  readonly onWritten: (resource: Resource) => void;
  readonly onProblem: (key: string, error: unknown) => void;
}

interface Entry {
  readonly resource: Resource;
  readonly subject: Subject;
  readonly uid: string | undefined;
  readonly written: Status | undefined;
  readonly writtenAt: number;
  readonly wanted: Status;
}

/** Writes each status that is not yet what it should be, at its pace, and tells what happened. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  readonly #pace = new Pace();
  readonly #entries = new Map<string, Entry>();
  /** Of those entries that are not yet what they should be. */
  readonly #changes = new Map<string, Change>();
  #writing = false;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /** The status as it was last written or, before that, as it was found. */
  known({ kind }: Resource, subject: Subject): Status | undefined {
    const entry = this.#entries.get(`${kind} ${keyOf(subject.metadata)}`);
    return entry?.uid === subject.metadata.uid && entry?.written ? entry.written : subject.status;
  }

  /** Says what the status of an object should be. */
  want(resource: Resource, subject: Subject, wanted: Status): void {
    const key = `${resource.kind} ${keyOf(subject.metadata)}`;
    const { uid } = subject.metadata;
    const before = this.#entries.get(key);
    const same = before?.uid === uid ? before : undefined;
    const { written = subject.status, writtenAt = 0 } = same ?? {};
    this.#put(key, { resource, subject, uid, written, writtenAt, wanted });
  }

  /** Whether something waits to be written. */
  get isBehind(): boolean {
    return this.#changes.size > 0;
  }

  /** Whether a change of state waits to be written. */
  get isUrgent(): boolean {
    for (const { isUrgent } of this.#changes.values()) if (isUrgent) return true;
    return false;
  }

  forget({ kind }: Resource, ref: string): void {
    this.#drop(`${kind} ${ref}`);
  }

  /** Another leader may have written since: what is found counts, and not what was written here. */
  forgetAll(): void {
    this.#entries.clear();
    this.#changes.clear();
  }

  /**
   * Writes what is due at `now` (milliseconds); does nothing while the last call is still writing. `again` may want
   * something newer of the subjects whose figures are about to be written.
   */
  async flush(now: number, again: (subjects: readonly Subject[]) => Promise<void>): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    const due = this.#pace.due([...this.#changes.values()], now);
    const figures = due.filter((key) => this.#changes.get(key)?.isUrgent === false);
    try {
      if (figures.length > 0) await again(figures.map((key) => this.#entries.get(key)!.subject));
      await Promise.all(due.map((key) => this.#write(key, this.#entries.get(key), now)));
    } finally {
      this.#writing = false;
    }
  }

  async #write(key: string, entry: Entry | undefined, now: number): Promise<void> {
    if (entry === undefined) return; // it has gone meanwhile
    const { client, events, onWritten, onProblem } = this.#options;
    const { resource, subject, wanted, written } = entry;
    const { namespace, name, uid } = subject.metadata;
    const { apiVersion, kind } = resource;
    try {
      // With its uid the write fails where another object has taken the name.
      const body = { apiVersion, kind, metadata: { namespace, name, uid: uid ?? '' }, status: wanted };
      await client.applyStatus(resource, body, { fieldManager: FIELD_MANAGER });
      this.#note(key, entry, now);
      onWritten(resource);
      const about = { ...subject, apiVersion, kind };
      for (const happening of happenings(written, wanted)) void events.tell(about, happening);
    } catch (error) {
      if (isProblem(error, 'NotFound', 'Conflict')) this.#drop(key);
      else onProblem(key, error);
    }
  }

  /** What was wanted meanwhile stays wanted. */
  #note(key: string, { uid, wanted: written }: Entry, writtenAt: number): void {
    const latest = this.#entries.get(key);
    if (latest?.uid === uid && latest !== undefined) this.#put(key, { ...latest, written, writtenAt });
  }

  #put(key: string, entry: Entry): void {
    this.#entries.set(key, entry);
    const change = changeOf(key, entry);
    if (change === null) this.#changes.delete(key);
    else this.#changes.set(key, change);
  }

  #drop(key: string): void {
    this.#entries.delete(key);
    this.#changes.delete(key);
  }
}

function changeOf(key: string, { written, wanted, writtenAt }: Entry): Change | null {
  if (isDeepStrictEqual(written, wanted)) return null;
  const isUrgent = !isUnderWay(wanted) && !isDeepStrictEqual(headline(written), headline(wanted));
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
