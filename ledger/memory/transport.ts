import { type BatchReservation, BATCH_OWNER_TTL_MS } from '../batches.ts';
import { TOMBSTONE_MS, RETENTION_MS, expireAt } from '../keys.ts';
import { LEASE_MS } from '../ledger.ts';
import type { UncheckedCall, GatewayReport, Reservation, ReserveAnswer, Settlement } from '../ledger.ts';
import type { LedgerClient } from '../session/client-identity.ts';
import type { LedgerChange } from '../session/replay-log.ts';
import type { BeatReply, JoinReply, JoinRequest, TellReply, Transport } from '../session/session.ts';
import { MemoryAdmission } from './admission.ts';
import type { MemoryCalls, LeasedCall, CallState } from './calls.ts';
import type { MemoryState, Lease } from './state.ts';
import type { Timeline } from './timeline.ts';

interface Parts {
  readonly books: MemoryState;
  readonly calls: MemoryCalls;
  readonly line: Timeline;
  /** The ledger's clock, once what has outlived its time is gone. */
  readonly now: () => number;
  readonly usageLimit: number;
}

/** What the scripts for gateways do, in memory. */
export class MemoryTransport implements Transport {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async reserve(
    caller: LedgerClient,
    reservation: Reservation,
  ): Promise<{ answer: ReserveAnswer; sequence: number | null }> {
    const answer = this.#reserve(caller, reservation);
    const sequence = answer.kind === 'admitted' ? this.#parts.line.lastOf(caller) : null;
    return { answer, sequence };
  }

  #reserve(caller: LedgerClient, reservation: Reservation): ReserveAnswer {
    const { books, line, now: clock } = this.#parts;
    const now = clock();
    const refused = this.#unready(caller, reservation.id, now);
    if (refused !== null) return refused;
    const open = books.openOf(caller.incarnation);
    const room = new MemoryAdmission(reservation, books);
    // A retry after a time-out: reserved already, whatever has changed since.
    if (open.has(reservation.id)) return { kind: 'admitted', now, committedNano: room.committedNano };

    const outdated = this.#outdated(reservation, now);
    if (outdated !== null) return outdated;
    const failures = room.refuse();
    if (failures.length > 0) return { kind: 'full', now, failures };
    const cells = room.hold(reservation.worstNano);
    open.set(reservation.id, leaseOf(reservation, now, cells));
    line.number(caller);
    return { kind: 'admitted', now, committedNano: room.committedNano };
  }

  /** Why nothing is reserved whatever the counters hold. */
  #unready(caller: LedgerClient, id: string, now: number): ReserveAnswer | null {
    const { books, line } = this.#parts;
    const reason = line.lost(caller.epoch);
    if (reason !== null) return { kind: 'lost', reason };
    line.watch(caller);
    if (books.recovering !== null) return { kind: 'recovering' };
    if (!books.lastChanges.has(caller.incarnation)) return { kind: 'unregistered' };
    if (books.line !== caller.line) return { kind: 'recovering' };
    return books.hasEnded(id, now) ? { kind: 'ended' } : null;
  }

  /** What became of an earlier one, the fence, the instants between which caps, prices and periods hold, and the bound of the stream. */
  #outdated({ id, workspace, version, from, until, checks }: Reservation, now: number): ReserveAnswer | null {
    const { books, usageLimit } = this.#parts;
    // It was swept, or booked without an answer: another lease would hold it twice.
    if (books.presumed.has(id) || books.booked.has(id)) return { kind: 'ended' };
    const fence = books.fences.get(workspace) ?? 0;
    if (version < fence) return { kind: 'stale', version: fence };
    const spans = [{ start: from, end: until }, ...checks];
    if (!spans.every(({ start, end }) => start <= now && now < end)) return { kind: 'wrongPeriod', now };
    return books.usage.length >= usageLimit ? { kind: 'logBehind' } : null;
  }

  async tell(caller: LedgerClient, owner: string, deed: LedgerChange): Promise<TellReply> {
    this.#parts.now();
    if (deed.kind === 'hold') return this.#hold(caller, owner, deed.reservation);
    if (deed.kind === 'settle') return this.#settle(caller, owner, deed.settlement);
    if (deed.kind === 'adopt') return this.#adopt(caller, owner, deed.adoption);
    return deed.kind === 'book' ? this.#book(caller, owner, deed.booking) : this.#release(caller, owner, deed.id);
  }

  #settle(caller: LedgerClient, owner: string, settlement: Settlement): TellReply {
    const { calls } = this.#parts;
    const call = calls.find(owner, settlement.id);
    if (call.lease !== undefined) calls.settle(owner, call, settlement);
    return this.#ended(caller, call);
  }

  #hold(caller: LedgerClient, owner: string, reservation: Reservation): TellReply {
    const { books, calls, line } = this.#parts;
    // Told before, and the answer did not come.
    if (books.openOf(caller.incarnation).has(reservation.id)) return { answer: 'settled', sequence: null };
    const { kind } = calls.find(owner, reservation.id);
    if (kind !== 'unknown') return { answer: 'ended', sequence: null };
    books.openOf(caller.incarnation).set(reservation.id, this.#charge(reservation).lease);
    line.notice(caller);
    return { answer: 'settled', sequence: line.number(caller) };
  }

  #release(caller: LedgerClient, owner: string, id: string): TellReply {
    const { books, calls, now } = this.#parts;
    const call = calls.find(owner, id);
    if (call.lease !== undefined) {
      calls.retract(id, call);
      calls.replace(call, 0n, 0n);
      calls.forget(owner, id);
    }
    // Also for an id that is not known yet: its reserve may still be on its way.
    books.entomb(id, now() + TOMBSTONE_MS);
    return this.#ended(caller, call);
  }

  #book(caller: LedgerClient, asker: string, { reservation, settlement }: UncheckedCall): TellReply {
    const { books, calls } = this.#parts;
    const { id } = reservation;
    const own = calls.find(asker, id);
    // Whoever reserved it: the process that books may not be the one that did.
    const anywhere = own.kind === 'unknown' ? books.openAnywhere(id) : null;
    const owner = anywhere?.owner ?? asker;
    const found: CallState = anywhere === null ? own : { kind: 'open', lease: anywhere.lease };
    if (found.kind === 'ended') return this.#ended(caller, found);
    const call = found.lease === undefined ? this.#charge(reservation) : found;
    if (settlement !== null) calls.settle(owner, call, settlement, RETENTION_MS);
    else if (call.kind !== 'open') return this.#ended(caller, { kind: 'ended' });
    else {
      calls.forget(owner, id);
      calls.sweep(id, call.lease);
    }
    return this.#ended(caller, call);
  }

  /** Holds a call that was sent already, whatever the caps. */
  #charge(reservation: Reservation): LeasedCall {
    const now = this.#parts.now();
    const checks = reservation.checks.filter(({ end }) => expireAt(end) > now);
    const cells = new MemoryAdmission({ ...reservation, checks }, this.#parts.books).force(reservation.worstNano);
    return { kind: 'open', lease: leaseOf(reservation, now, cells) };
  }

  #adopt(caller: LedgerClient, owner: string, { id, batch, workspace, meta }: BatchReservation): TellReply {
    const { books, calls, now } = this.#parts;
    const call: CallState = books.batches.has(batch) ? { kind: 'ended' } : calls.find(owner, id);
    if (call.lease !== undefined) {
      const { lease } = call;
      calls.forget(owner, id);
      books.entomb(id, now() + TOMBSTONE_MS);
      calls.retract(id, call);
      calls.reopen(call);
      books.batches.set(batch, { known: { id, batch, workspace, meta, settledLines: 0 }, lease });
      books.owners.set(batch, { workspace, settled: false, until: now() + BATCH_OWNER_TTL_MS });
      const held = { id: `${id}/batch`, state: 'presumed', worst_nano: `${lease.worstNano}` } as const;
      calls.append({ ...held, batch, workspace, meta }, lease);
    }
    return this.#ended(caller, call);
  }

  #ended(caller: LedgerClient, { kind, lease }: CallState): TellReply {
    const { line, books } = this.#parts;
    if (lease !== undefined) {
      line.notice(caller);
      return { answer: kind === 'open' ? 'settled' : 'corrected', sequence: line.number(caller) };
    }
    const isLost = line.lost(caller.epoch) !== null;
    if (kind === 'ended') return { answer: 'ended', sequence: isLost ? null : line.lastOf(caller) };
    if (!isLost) line.watch(caller);
    return { answer: !isLost && books.line === caller.line ? 'unknown' : 'astray', sequence: null };
  }

  async beat(caller: LedgerClient, successor: string, report: GatewayReport): Promise<BeatReply> {
    const { books, line, now: clock } = this.#parts;
    const now = clock();
    const isFirst = successor !== '';
    const incarnation = isFirst ? successor : caller.incarnation;
    const reason = line.lost(caller.epoch);
    if (reason !== null) return { kind: 'lost', reason };
    line.watch(caller);
    if (books.lastChanges.has(incarnation)) {
      // Overdue and yet not swept: the ledger was out of reach for all, so all get a lease's time to return.
      if (now - (books.beats.get(incarnation) ?? now) > LEASE_MS) books.sparedUntil = now + LEASE_MS;
    } else if (isFirst || books.recovering !== null) {
      books.lastChanges.set(incarnation, line.lastChange(caller.incarnation) ?? 0);
      if (books.line === caller.line) line.number({ ...caller, incarnation });
    } else {
      return { kind: 'swept' };
    }
    books.beats.set(incarnation, now);
    books.reports.set(incarnation, report);
    line.advance();
    return {
      kind: books.recovering === null ? 'alive' : 'recovering',
      now,
      line: books.line,
      last: books.lastChanges.get(incarnation) ?? 0,
      from: books.from,
      sequence: books.sequence,
      open: [...books.openOf(incarnation).keys()],
      incarnations: [...books.beats.keys()],
    };
  }

  async join(caller: LedgerClient, joining: JoinRequest): Promise<JoinReply> {
    const { books, line, now } = this.#parts;
    now();
    const reason = line.lost(caller.epoch);
    if (reason !== null) return { kind: 'lost', reason };
    if (!line.join(caller.incarnation, joining)) return { kind: 'again' };
    const sequence = line.number({ ...caller, line: joining.line }) ?? 0;
    line.advance();
    return { kind: books.recovering === null ? 'alive' : 'recovering', sequence };
  }
}

function leaseOf({ worstNano, gapNano, checks }: Reservation, now: number, cells: Lease['cells']): Lease {
  const keepUntil = Math.max(expireAt(now), ...checks.map(({ end }) => expireAt(end)));
  return { worstNano, gapNano, keepUntil, cells };
}
