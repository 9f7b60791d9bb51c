import { LEASE_MS } from '../durations.ts';
import type { Reservation, UncheckedCall } from '../reservation.ts';
import type { CallEnd, LedgerChange } from './ledger-change.ts';
import type { SessionPosition } from './session-position.ts';

/** The changes of one call and their numbers; a number that is not known is the highest there is. */
interface Entry {
  readonly reservation: Reservation | null;
  reservedSequence: number;
  end: CallEnd | null;
  endSequence: number;
  /** By the ledger's clock, milliseconds. */
  endedAt: number;
}

/** The changes of a call that are to be replayed, in order. */
export interface ReplayedCall {
  readonly id: string;
  readonly changes: readonly LedgerChange[];
}

/** How long an ended call is kept: less than its tombstone, with a clock that is a minute ahead. Milliseconds. */
const KEPT_MS = 45_000;

/**
 * A session's changes that a ledger may have lost when it comes back older: of all calls under way, and of those that
 * ended lately. A server that lost the end of its log has all changes up to some number and none after it, so the
 * entries with higher numbers are what must be replayed.
 */
export class ReplayLog {
  readonly #entries = new Map<string, Entry>();
  readonly #ended = new Set<string>();
  /** At each heartbeat: the ledger's clock, and the sequence. */
  #marks: { readonly at: number; readonly sequence: number }[] = [];
  #highestDropped = 0;
  readonly #position: Pick<SessionPosition, 'removeHolder'>;

  /** `position` forgets the holders of the calls that this log drops. */
  constructor(position: Pick<SessionPosition, 'removeHolder'>) {
    this.#position = position;
  }

  /** Whether the call is under way, as far as this session knows. */
  isOpen(id: string): boolean {
    return this.#entries.get(id)?.end === null;
  }

  /** Whether the call has ended in another way, so that `end` cannot correct it. */
  hasOtherEnd(id: string, { kind }: CallEnd): boolean {
    const end = this.#entries.get(id)?.end ?? null;
    return end !== null && end.kind !== kind && withoutCost(end) === null;
  }

  /** The ledger has reserved a call. */
  addReservation(reservation: Reservation, sequence: number | null): void {
    const reservedSequence = sequence ?? Number.MAX_SAFE_INTEGER;
    this.#entries.set(reservation.id, { reservation, reservedSequence, end: null, endSequence: 0, endedAt: 0 });
  }

  /** The ledger has taken the end of a call. */
  addEnd(id: string, end: CallEnd, sequence: number | null): void {
    const entry = this.#entries.get(id) ?? (end.kind === 'settleUnchecked' ? withoutReservation() : undefined);
    if (entry === undefined) return this.#position.removeHolder(id);
    const call = withoutCost(entry.end);
    // A late answer to the repetition of an unchecked call says nothing of its cost, and replaces none that is known.
    if (entry.end !== null && call === null && withoutCost(end) !== null) return;
    // Both in one change, since a ledger that lost the later one has lost the earlier one too.
    const isLate = call !== null && end.kind === 'settle';
    entry.end = isLate ? { kind: 'settleUnchecked', call: { ...call, settlement: end.settlement } } : end;
    entry.endSequence = sequence ?? Number.MAX_SAFE_INTEGER;
    entry.endedAt = this.#now;
    this.#entries.set(id, entry);
    this.#ended.delete(id);
    this.#ended.add(id);
  }

  /** The ledger never had the call, or had it long ago. */
  drop(id: string): void {
    this.#entries.delete(id);
    this.#ended.delete(id);
    this.#position.removeHolder(id);
  }

  /** A heartbeat was answered: drops what ended long ago. While the ledger is out of reach nothing gets older. */
  expire(now: number, sequence: number): void {
    const older = this.#marks.findLastIndex(({ at }) => at <= now - LEASE_MS);
    this.#marks = [...this.#marks.slice(Math.max(0, older)), { at: now, sequence }];
    for (const id of this.#ended) {
      const { endedAt, endSequence } = this.#entries.get(id)!;
      if (endedAt > now - KEPT_MS) break;
      // Its answer came before this heartbeat's: whatever its number, it is no higher.
      this.#highestDropped = Math.max(this.#highestDropped, Math.min(endSequence, sequence));
      this.drop(id);
    }
  }

  /** The highest sequence seen at a heartbeat. */
  get highestSequence(): number {
    return highest(this.#marks);
  }

  /** The highest sequence seen at least one lease before the last heartbeat. */
  get leaseOldSequence(): number {
    return highest(this.#marks.filter(({ at }) => at <= this.#now - LEASE_MS));
  }

  /** The highest number of a change that this log no longer holds. */
  get highestDropped(): number {
    return this.#highestDropped;
  }

  /** What to replay to a ledger that has all changes up to `sequence`. */
  changesAfter(sequence: number): ReplayedCall[] {
    const all = [...this.#entries].map(([id, entry]) => ({ id, changes: missingChanges(entry, sequence) }));
    return all.filter(({ changes }) => changes.length > 0);
  }

  /** The ledger has all of `replayed`, numbered `sequence` or lower; numbers up to `timelineStart` stay valid. */
  renumber(replayed: readonly ReplayedCall[], sequence: number, timelineStart: number, now: number): void {
    for (const { id, changes } of replayed) {
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      if (changes.some(({ kind }) => kind === 'restore')) entry.reservedSequence = sequence;
      // An end that came during the replay may be later.
      if (changes.some((change) => change === entry.end)) entry.endSequence = sequence;
    }
    for (const id of this.#ended) this.#entries.get(id)!.endedAt = now;
    const marks = this.#marks.map((mark) => ({ at: mark.at, sequence: Math.min(mark.sequence, timelineStart) }));
    this.#marks = [...marks, { at: now, sequence }];
    this.#highestDropped = Math.min(this.#highestDropped, timelineStart);
  }

  get #now(): number {
    return this.#marks.at(-1)?.at ?? 0;
  }
}

/** An unchecked call whose cost is not known: a settlement may still come. */
function withoutCost(end: CallEnd | null): UncheckedCall | null {
  return end?.kind === 'settleUnchecked' && end.call.settlement === null ? end.call : null;
}

function withoutReservation(): Entry {
  return { reservation: null, reservedSequence: 0, end: null, endSequence: 0, endedAt: 0 };
}

function missingChanges(entry: Entry, sequence: number): LedgerChange[] {
  const { reservation, reservedSequence, end, endSequence } = entry;
  const isLost = reservation !== null && reservedSequence > sequence;
  // A lost reservation that was released need not be restored.
  if (end?.kind === 'release') return !isLost && endSequence > sequence ? [end] : [];
  const restore: LedgerChange[] = isLost && end?.kind !== 'settleUnchecked' ? [{ kind: 'restore', reservation }] : [];
  return end !== null && (isLost || endSequence > sequence) ? [...restore, end] : restore;
}

function highest(marks: readonly { readonly sequence: number }[]): number {
  return marks.reduce((most, { sequence }) => Math.max(most, sequence), 0);
}
