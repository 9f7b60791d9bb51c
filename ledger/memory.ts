/**
 * The twin of `RedisLedger`: the same meaning in plain TypeScript, to be read as the specification and to stand in for
 * Redis in tests. A property test holds the two against each other.
 */

import { checkAmount, checkSettlement } from './amounts.ts';
import { Author, type Caller } from './author.ts';
import type { Lease } from './books.ts';
import type { Held, Standing } from './calls.ts';
import { OWNER_KEPT_MS, ENDED_MS, REFUSALS_KEPT, RETENTION_MS, expireAt } from './keys.ts';
import { LEASE_MS, USAGE_LIMIT } from './ledger.ts';
import type { Adoption, BatchOwner, BeatAnswer, Booking, GatewayLedger, GatewayReport, LostReason } from './ledger.ts';
import type { RefusalRow, Reservation, ReserveAnswer, SettleAnswer, Settlement, UsageRecord } from './ledger.ts';
import { type MemoryOptions, MemoryOperator } from './memory-operator.ts';
import { Room } from './room.ts';

/** A ledger in this process's memory. */
export class MemoryLedger extends MemoryOperator implements GatewayLedger {
  readonly #author: Author;
  readonly #usageLimit: number;

  constructor(options: MemoryOptions) {
    super(options);
    this.#author = new Author(options.epoch);
    this.#usageLimit = options.usageLimit ?? USAGE_LIMIT;
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
    const now = this.now();
    const caller = this.#author.caller();
    const reason = this.#lost(caller);
    if (reason !== null) return { kind: 'lost', reason };
    if (books.recovering !== null) return { kind: 'recovering' };
    if (!books.lastChanges.has(caller.incarnation)) return { kind: 'unregistered' };
    if (books.hasEnded(reservation.id, now)) return { kind: 'ended' };
    const open = books.openOf(caller.incarnation);
    const room = new Room(reservation, books);
    // A retry after a time-out: reserved already, whatever has changed since.
    if (open.has(reservation.id)) return this.#admitted(caller, now, room);

    const outdated = this.#outdated(reservation, now);
    if (outdated !== null) return outdated;
    if (books.usage.length >= this.#usageLimit) return { kind: 'logBehind' };
    const failures = room.refuse();
    if (failures.length > 0) return { kind: 'full', now, failures };
    const cells = room.hold(reservation.worstNano);
    open.set(reservation.id, this.#leaseOf(reservation, now, cells));
    this.#number(caller);
    return this.#admitted(caller, now, room);
  }

  #leaseOf({ worstNano, gapNano, checks }: Reservation, now: number, cells: Lease['cells']): Lease {
    const keepUntil = Math.max(expireAt(now), ...checks.map(({ end }) => expireAt(end)));
    return { worstNano, gapNano, keepUntil, cells };
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

  async settle(settlement: Settlement): Promise<SettleAnswer> {
    checkSettlement(settlement);
    const owner = this.#author.ownerOf(settlement.id);
    const call = this.#find(settlement.id);
    if (call.lease !== undefined) this.calls.settle(owner, call, settlement);
    return this.#ended(settlement.id, call);
  }

  async release(id: string): Promise<SettleAnswer> {
    const call = this.#find(id);
    if (call.lease !== undefined) {
      this.calls.retract(id, call);
      this.calls.replace(call, 0n, 0n);
      this.calls.forget(this.#author.ownerOf(id), id);
    }
    // Also for an id that is not known yet: its reserve may still be on its way.
    this.books.entomb(id, this.now() + ENDED_MS);
    return this.#ended(id, call);
  }

  async book({ reservation, settlement }: Booking): Promise<SettleAnswer> {
    checkAmount(reservation.worstNano);
    if (settlement !== null) checkSettlement(settlement);
    const { id } = reservation;
    const anywhere = this.books.openAnywhere(id);
    const owner = anywhere?.owner ?? this.#author.ownerOf(id);
    const found: Standing = anywhere === null ? this.#find(id) : { kind: 'open', lease: anywhere.lease };
    if (found.kind === 'ended') return this.#ended(id, found);
    const call = found.lease === undefined ? this.#charge(reservation) : found;
    if (settlement !== null) this.calls.settle(owner, call, settlement, RETENTION_MS);
    else if (call.kind !== 'open') return this.#ended(id, { kind: 'ended' });
    else {
      this.calls.forget(owner, id);
      this.calls.sweep(id, call.lease);
    }
    return this.#ended(id, call);
  }

  /** Holds a call that was sent already, whatever the caps. */
  #charge(reservation: Reservation): Held {
    const now = this.now();
    const checks = reservation.checks.filter(({ end }) => expireAt(end) > now);
    const cells = new Room({ ...reservation, checks }, this.books).force(reservation.worstNano);
    return { kind: 'open', lease: this.#leaseOf(reservation, now, cells) };
  }

  async adopt({ id, batch, workspace, meta }: Adoption): Promise<SettleAnswer> {
    const { books } = this;
    const call = books.batches.has(batch) ? ({ kind: 'ended' } as const) : this.#find(id);
    if (call.lease !== undefined) {
      const now = this.now();
      this.calls.forget(this.#author.ownerOf(id), id);
      books.entomb(id, now + ENDED_MS);
      this.calls.retract(id, call);
      this.calls.reopen(call);
      const { lease } = call;
      books.batches.set(batch, { known: { id, batch, workspace, meta, at: 0 }, lease });
      books.owners.set(batch, { workspace, settled: false, until: now + OWNER_KEPT_MS });
      this.calls.append({ id: `${id}/batch`, state: 'presumed', worst_nano: `${lease.worstNano}` }, lease);
    }
    return this.#ended(id, call);
  }

  async batchOwners(batches: readonly string[]): Promise<readonly (BatchOwner | null)[]> {
    this.now();
    return batches.map((batch) => {
      const owner = this.books.owners.get(batch);
      return owner === undefined ? null : { workspace: owner.workspace, settled: owner.settled };
    });
  }

  async noteFree(record: UsageRecord): Promise<void> {
    this.books.usage.push({ entry: this.books.nextEntry(), record, counters: [], keepUntil: 0 });
  }

  async noteRefusals(rows: readonly RefusalRow[]): Promise<void> {
    const { books } = this;
    const entries = rows.map((row) => ({ entry: books.nextEntry(), row }));
    books.refusals = [...books.refusals, ...entries].slice(-REFUSALS_KEPT);
  }

  #find(id: string): Standing {
    this.now();
    return this.calls.find(this.#author.ownerOf(id), id);
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
    const now = this.now();
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
    if (books.recovering !== null) return { kind: 'recovering' };
    return { kind: 'alive', now, open: [...books.openOf(incarnation).keys()] };
  }

  async leave(): Promise<void> {
    const { incarnation } = this.#author.caller();
    if (this.books.openOf(incarnation).size === 0) this.books.unregister(incarnation);
  }

  /** A log that lost its end keeps all before it: who finds its own last change misses nothing older. */
  #lost({ incarnation, epoch, seen }: Caller): LostReason | null {
    const { books } = this;
    const found = books.lastChanges.get(incarnation) ?? books.sequence;
    if (books.epoch === epoch && found < seen) books.lost = 'lowerSequence';
    return this.standing(epoch);
  }

  /** Numbers a change and notes it as the last one of its author where that is registered. */
  #number({ incarnation }: Caller): number {
    const { books } = this;
    books.sequence += 1;
    if (books.lastChanges.has(incarnation)) books.lastChanges.set(incarnation, books.sequence);
    return books.sequence;
  }
}
