import type { BatchReservation } from '../batches.ts';
import type { UncheckedCall, Reservation, Settlement } from '../ledger.ts';
import { LEASE_MS } from '../ledger.ts';

/** What ends a call, or hands it over. */
export type CallEnd =
  | { readonly kind: 'settle'; readonly settlement: Settlement }
  | { readonly kind: 'release'; readonly id: string }
  | { readonly kind: 'adopt'; readonly adoption: BatchReservation }
  | { readonly kind: 'book'; readonly booking: UncheckedCall };

/** What a client can tell a ledger about a call. */
export type LedgerChange = CallEnd | { readonly kind: 'hold'; readonly reservation: Reservation };

/** What a client did with a call, and the numbers of those changes; where one is not known it is the highest there is. */
interface Entry {
  readonly reservation: Reservation | null;
  heldAs: number;
  ending: CallEnd | null;
  endedAs: number;
  /** By the ledger's clock, milliseconds. */
  endedAt: number;
}

/** A call's deeds, in order. */
export interface ReplayedCall {
  readonly id: string;
  readonly deeds: readonly LedgerChange[];
}

/** How long an ended call is kept in mind: less than its tombstone, with a clock that is a minute ahead. Milliseconds. */
const KEPT_MS = 45_000;

/**
 * What a client did to the ledger, as long as a ledger that comes back older may have lost it: all calls under way, and
 * those that ended lately. A server that lost the end of its log has all changes up to some number and none after it, so
 * the entries with higher numbers are what it must be told again.
 */
export class ReplayLog {
  readonly #entries = new Map<string, Entry>();
  readonly #ended = new Set<string>();
  /** At each beat: the ledger's clock, and the sequence. */
  #marks: { readonly at: number; readonly sequence: number }[] = [];
  #forgotten = 0;
  readonly #onDrop: (id: string) => void;

  constructor(onDrop: (id: string) => void) {
    this.#onDrop = onDrop;
  }

  /** Whether the call is under way, by all that this client knows. */
  isOpen(id: string): boolean {
    return this.#entries.get(id)?.ending === null;
  }

  /** Whether the call has ended in another way, so that nothing can correct it. */
  endedOtherwise(id: string, { kind }: CallEnd): boolean {
    const ending = this.#entries.get(id)?.ending ?? null;
    return ending !== null && ending.kind !== kind && unsettled(ending) === null;
  }

  /** The ledger has reserved a call. */
  held(reservation: Reservation, sequence: number | null): void {
    const heldAs = sequence ?? Number.MAX_SAFE_INTEGER;
    this.#entries.set(reservation.id, { reservation, heldAs, ending: null, endedAs: 0, endedAt: 0 });
  }

  /** The ledger knows the end of a call. */
  ended(id: string, ending: CallEnd, sequence: number | null): void {
    const entry = this.#entries.get(id) ?? (ending.kind === 'book' ? unheld() : undefined);
    if (entry === undefined) return this.#onDrop(id);
    const booking = unsettled(entry.ending);
    // In one deed, since a ledger that lost the one has lost the other.
    const isLate = booking !== null && ending.kind === 'settle';
    entry.ending = isLate ? { kind: 'book', booking: { ...booking, settlement: ending.settlement } } : ending;
    entry.endedAs = sequence ?? Number.MAX_SAFE_INTEGER;
    entry.endedAt = this.#now;
    this.#entries.set(id, entry);
    this.#ended.delete(id);
    this.#ended.add(id);
  }

  /** The ledger never had the call, or had it long ago. */
  drop(id: string): void {
    this.#entries.delete(id);
    this.#ended.delete(id);
    this.#onDrop(id);
  }

  /** A beat was answered: drops what ended long ago. A ledger out of reach makes nothing old. */
  beaten(now: number, sequence: number): void {
    const older = this.#marks.findLastIndex(({ at }) => at <= now - LEASE_MS);
    this.#marks = [...this.#marks.slice(Math.max(0, older)), { at: now, sequence }];
    for (const id of this.#ended) {
      const { endedAt, endedAs } = this.#entries.get(id)!;
      if (endedAt > now - KEPT_MS) break;
      // It was heard of before this beat: whatever its number, it is no higher.
      this.#forgotten = Math.max(this.#forgotten, Math.min(endedAs, sequence));
      this.drop(id);
    }
  }

  /** The highest sequence that was heard of at a beat, and the highest of a lease's time before the last beat. */
  get heard(): { readonly highest: number; readonly aged: number } {
    const old = this.#marks.filter(({ at }) => at <= this.#now - LEASE_MS);
    return { highest: highest(this.#marks), aged: highest(old) };
  }

  /** The highest number of a change that is not kept in mind any more. */
  get forgotten(): number {
    return this.#forgotten;
  }

  /** What a ledger that has all changes up to `floor` must be told. */
  after(floor: number): ReplayedCall[] {
    const all = [...this.#entries].map(([id, entry]) => ({ id, deeds: deedsAfter(entry, floor) }));
    return all.filter(({ deeds }) => deeds.length > 0);
  }

  /**
   * All of `told` is in the ledger now, by the change `sequence` at the latest. What was numbered up to `from` before
   * keeps its number there.
   */
  joined(told: readonly ReplayedCall[], sequence: number, from: number, now: number): void {
    for (const { id, deeds } of told) {
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      if (deeds.some(({ kind }) => kind === 'hold')) entry.heldAs = sequence;
      // One that came while this was told may be later.
      if (deeds.some((deed) => deed === entry.ending)) entry.endedAs = sequence;
    }
    for (const id of this.#ended) this.#entries.get(id)!.endedAt = now;
    const marks = this.#marks.map((mark) => ({ at: mark.at, sequence: Math.min(mark.sequence, from) }));
    this.#marks = [...marks, { at: now, sequence }];
    this.#forgotten = Math.min(this.#forgotten, from);
  }

  get #now(): number {
    return this.#marks.at(-1)?.at ?? 0;
  }
}

/** A booking of what nobody knew the cost of: a settlement may still come. */
function unsettled(ending: CallEnd | null): UncheckedCall | null {
  return ending?.kind === 'book' && ending.booking.settlement === null ? ending.booking : null;
}

function unheld(): Entry {
  return { reservation: null, heldAs: 0, ending: null, endedAs: 0, endedAt: 0 };
}

function deedsAfter({ reservation, heldAs, ending, endedAs }: Entry, floor: number): LedgerChange[] {
  const isLost = reservation !== null && heldAs > floor;
  // What was lost and was given back anyway need not be held again.
  if (ending?.kind === 'release') return !isLost && endedAs > floor ? [ending] : [];
  const hold: LedgerChange[] = isLost && ending?.kind !== 'book' ? [{ kind: 'hold', reservation }] : [];
  return ending !== null && (isLost || endedAs > floor) ? [...hold, ending] : hold;
}

function highest(marks: readonly { readonly sequence: number }[]): number {
  return marks.reduce((most, { sequence }) => Math.max(most, sequence), 0);
}
