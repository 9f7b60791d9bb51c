/**
 * The twin of `RedisLedger`: the same meaning in plain TypeScript, to be read as the specification and to stand in for
 * Redis in tests. A property test holds the two against each other.
 */

import type { Reading, ReadingQuery } from '../policy/counter.ts';
import { checkAmount } from './amounts.ts';
import { Author, type Caller } from './author.ts';
import { Books, type Lease } from './books.ts';
import { expireAt } from './keys.ts';
import { LEASE_MS } from './ledger.ts';
import type { BeatAnswer, GatewayLedger, GatewayReport, LedgerState, LivingGateway, OperatorLedger } from './ledger.ts';
import type { LostReason, Reservation, ReserveAnswer, SettleAnswer, Settlement } from './ledger.ts';
import { Room } from './room.ts';

/** The clock and the epoch of a ledger in memory. */
export interface MemoryOptions {
  /** Milliseconds since the epoch: the ledger's clock. */
  readonly clock: () => number;
  readonly epoch: () => string | null;
  /** What several clients share; by default one of its own. */
  readonly books?: Books;
}

type Standing =
  | { readonly kind: 'open' | 'presumed'; readonly lease: Lease }
  | { readonly kind: 'ended' | 'unknown'; readonly lease?: undefined };

/** A ledger in this process's memory. */
export class MemoryLedger implements GatewayLedger, OperatorLedger {
  readonly books: Books;
  readonly #clock: () => number;
  readonly #expectedEpoch: () => string | null;
  readonly #author: Author;

  constructor(options: MemoryOptions) {
    this.books = options.books ?? new Books();
    this.#clock = options.clock;
    this.#expectedEpoch = options.epoch;
    this.#author = new Author(options.epoch);
  }

  begin(incarnation: string): void {
    this.#author.begin(incarnation);
  }

  async reserve(reservation: Reservation): Promise<ReserveAnswer> {
    checkAmount(reservation.worstNano);
    this.#author.own(reservation.id);
    const answer = this.#reserve(reservation);
    if (answer.kind !== 'admitted') this.#author.disown(reservation.id);
    return answer;
  }

  #reserve(reservation: Reservation): ReserveAnswer {
    const { books } = this;
    const now = this.#now();
    const caller = this.#author.caller();
    const reason = this.#lost(caller);
    if (reason !== null) return { kind: 'lost', reason };
    if (!books.lastChanges.has(caller.incarnation)) return { kind: 'unregistered' };
    if (books.hasEnded(reservation.id, now)) return { kind: 'ended' };
    const open = books.openOf(caller.incarnation);
    const room = new Room(reservation.checks, books);
    // A retry after a time-out: reserved already, whatever has changed since.
    if (open.has(reservation.id)) return this.#admitted(caller, now, room);

    const outdated = this.#outdated(reservation, now);
    if (outdated !== null) return outdated;
    const failures = room.refuse();
    if (failures.length > 0) return { kind: 'full', now, failures };
    const { id, worstNano, checks } = reservation;
    const cells = room.hold(worstNano);
    const keepUntil = Math.max(expireAt(now), ...checks.map(({ end }) => expireAt(end)));
    open.set(id, { worstNano, keepUntil, cells });
    this.#number(caller);
    return this.#admitted(caller, now, room);
  }

  #admitted(caller: Caller, now: number, { committedNano }: Room): ReserveAnswer {
    this.#author.note(caller, this.books.lastChanges.get(caller.incarnation) ?? 0);
    return { kind: 'admitted', now, committedNano };
  }

  /** The fence, and the instants between which caps, prices and periods hold. */
  #outdated({ workspace, version, from, until, checks }: Reservation, now: number): ReserveAnswer | null {
    const fence = this.books.fences.get(workspace) ?? 0;
    if (version < fence) return { kind: 'stale', version: fence };
    const spans = [{ start: from, end: until }, ...checks];
    return spans.every(({ start, end }) => start <= now && now < end) ? null : { kind: 'wrongPeriod', now };
  }

  async settle({ id, costNano, presumedNano, record }: Settlement): Promise<SettleAnswer> {
    const certainNano = costNano + presumedNano;
    for (const amount of [costNano, presumedNano, certainNano]) checkAmount(amount);
    const call = this.#find(id);
    if (call.lease !== undefined) {
      const { lease } = call;
      for (const cell of lease.cells) cell.checkRoom(certainNano - lease.worstNano);
      for (const cell of lease.cells) {
        cell.spent += costNano;
        cell.score += Number(costNano);
        cell.requests += 1;
      }
      this.#replace(call, certainNano);
      this.#end(id);
      if (presumedNano > 0n)
        this.books.presumed.set(id, { origin: 'rest', lease: { ...lease, worstNano: presumedNano } });
      this.books.usage.push(record);
    }
    return this.#ended(id, call);
  }

  async release(id: string): Promise<SettleAnswer> {
    const call = this.#find(id);
    this.#replace(call, 0n);
    // Also for an id that is not known yet: its reserve may still be on its way.
    this.#end(id);
    return this.#ended(id, call);
  }

  /** Puts what is certain in place of the worst case. What was swept is counted as certain already. */
  #replace({ kind, lease }: Standing, certainNano: bigint): void {
    for (const cell of lease?.cells ?? []) {
      cell.certain += kind === 'open' ? certainNano : certainNano - (lease?.worstNano ?? 0n);
      cell.committed += certainNano - (lease?.worstNano ?? 0n);
    }
  }

  #find(id: string): Standing {
    const lease = this.books.openOf(this.#author.ownerOf(id)).get(id);
    if (lease !== undefined) return { kind: 'open', lease };
    if (this.books.hasEnded(id, this.#now())) return { kind: 'ended' };
    const presumed = this.books.presumed.get(id);
    if (presumed === undefined) return { kind: 'unknown' };
    return presumed.origin === 'swept' ? { kind: 'presumed', lease: presumed.lease } : { kind: 'ended' };
  }

  #end(id: string): void {
    this.books.openOf(this.#author.ownerOf(id)).delete(id);
    if (this.books.presumed.get(id)?.origin === 'swept') this.books.presumed.delete(id);
    this.books.entomb(id, this.#now());
  }

  #ended(id: string, call: Standing): SettleAnswer {
    this.#author.disown(id);
    if (call.lease === undefined) return call.kind;
    const caller = this.#author.caller();
    // A lost ledger takes money too, but the loss is noticed.
    this.#lost(caller);
    this.#author.note(caller, this.#number(caller));
    return call.kind === 'open' ? 'settled' : 'corrected';
  }

  async beat(report: GatewayReport): Promise<BeatAnswer> {
    const { books } = this;
    const now = this.#now();
    const caller = this.#author.caller();
    const { incarnation } = caller;
    const reason = this.#lost(caller);
    if (reason !== null) return { kind: 'lost', reason };
    if (books.lastChanges.has(incarnation)) {
      // Overdue and yet not swept: the ledger was out of reach for all, so all get a lease's time to return.
      if (now - (books.beats.get(incarnation) ?? now) > LEASE_MS) books.sparedUntil = now + LEASE_MS;
    } else if (this.#author.registered) {
      return { kind: 'swept' };
    } else {
      books.lastChanges.set(incarnation, 0);
      this.#number(caller);
    }
    this.#author.register(caller);
    this.#author.note(caller, books.lastChanges.get(incarnation) ?? 0);
    books.beats.set(incarnation, now);
    books.reports.set(incarnation, report);
    return { kind: 'alive', now, open: [...books.openOf(incarnation).keys()] };
  }

  async sweep(): Promise<number> {
    const { books } = this;
    const now = this.#now();
    if (now < books.sparedUntil) return 0;
    let swept = 0;
    for (const [incarnation, beat] of books.beats) {
      if (beat >= now - LEASE_MS) continue;
      const leases = books.openOf(incarnation);
      if (leases.size > 0) books.sequence += 1;
      for (const [id, lease] of leases) {
        for (const cell of lease.cells) cell.certain += lease.worstNano;
        books.presumed.set(id, { origin: 'swept', lease });
        swept += 1;
      }
      books.unregister(incarnation);
    }
    return swept;
  }

  async leave(): Promise<void> {
    const { incarnation } = this.#author.caller();
    if (this.books.openOf(incarnation).size === 0) this.books.unregister(incarnation);
  }

  async read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]> {
    this.#now();
    return queries.map((query) => this.books.read(query));
  }

  async state(): Promise<LedgerState> {
    const now = this.#now();
    const { epoch, sequence, usage, presumed } = this.books;
    const lost = this.#standing(this.#expectedEpoch() ?? '');
    return { now, epoch, lost, sequence, streamLength: usage.length, presumedCount: presumed.size };
  }

  async gateways(): Promise<readonly LivingGateway[]> {
    return [...this.books.reports].map(([incarnation, report]) => ({ incarnation, ...report }));
  }

  async raiseFences(fences: ReadonlyMap<string, number>): Promise<void> {
    for (const [workspace, version] of fences) {
      this.books.fences.set(workspace, Math.max(version, this.books.fences.get(workspace) ?? 0));
    }
    if (fences.size > 0) this.books.sequence += 1;
  }

  async fences(): Promise<ReadonlyMap<string, number>> {
    return new Map(this.books.fences);
  }

  async establish(epoch: string): Promise<void> {
    this.books.epoch = epoch;
    this.books.lost = null;
    this.books.sequence += 1;
  }

  #now(): number {
    const now = this.#clock();
    this.books.forget(now);
    return now;
  }

  /** A log that lost its end keeps all before it: who finds its own last change misses nothing older. */
  #lost({ incarnation, epoch, seen }: Caller): LostReason | null {
    const { books } = this;
    const found = books.lastChanges.get(incarnation) ?? books.sequence;
    if (books.epoch === epoch && found < seen) books.lost = 'lowerSequence';
    return this.#standing(epoch);
  }

  #standing(epoch: string): LostReason | null {
    if (this.books.epoch === null) return 'empty';
    return this.books.epoch === epoch ? this.books.lost : 'otherEpoch';
  }

  /** Numbers a change and notes it as the last one of its author where that is registered. */
  #number({ incarnation }: Caller): number {
    const { books } = this;
    books.sequence += 1;
    if (books.lastChanges.has(incarnation)) books.lastChanges.set(incarnation, books.sequence);
    return books.sequence;
  }
}
