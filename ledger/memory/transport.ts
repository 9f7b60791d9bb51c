import type { UsageRecord } from '../../policy/core/usage-record.ts';
import { expireAt, LEASE_MS, RETENTION_MS, TOMBSTONE_MS } from '../durations.ts';
import type { GatewayReport } from '../gateway-ledger.ts';
import { BATCH_OWNER_TTL_MS, type BatchOwner, type BatchReservation } from '../message-batches.ts';
import type { Reservation, ReserveAnswer, Settlement, UncheckedCall } from '../reservation.ts';
import type { LedgerChange } from '../session/ledger-change.ts';
import type { LedgerClient } from '../session/session-position.ts';
import type { BeatReply, ChangeReply, JoinReply, JoinRequest, ReserveReply, Transport } from '../session/transport.ts';
import { FILES_TTL_MS, type FileOwner, fileOwnerName } from '../stored-files.ts';
import { MAX_REFUSAL_ROWS, type RefusalRow, type UnaskedRefusals } from '../streams.ts';
import type { MemoryCounter } from './counter.ts';
import type { FoundCall, LeasedCall } from './leases.ts';
import { ReservationCounters } from './reservation-counters.ts';
import { MemorySharedOperations } from './shared-operations.ts';
import type { Lease, MemoryState } from './state.ts';

/** A session's operations in memory: what the scripts of redis/transport.ts do. */
export class MemoryTransport extends MemorySharedOperations implements Transport {
  readonly #usageLimit: number;

  constructor(data: MemoryState, clock: () => number, expectedEpoch: () => string | null, usageLimit: number) {
    super(data, clock, expectedEpoch);
    this.#usageLimit = usageLimit;
  }

  async reserve(client: LedgerClient, reservation: Reservation): Promise<ReserveReply> {
    const answer = this.#reserve(client, reservation);
    const sequence = answer.kind === 'admitted' ? this.timeline.lastChangeIn(client) : null;
    return { answer, sequence };
  }

  #reserve(client: LedgerClient, reservation: Reservation): ReserveAnswer {
    const { data, timeline } = this;
    const now = this.now();
    const unready = this.#unready(client, reservation.id, now);
    if (unready !== null) return unready;
    const open = data.openOf(client.incarnation);
    const checks = new ReservationCounters(reservation, data.counters, now);
    // A retry after a time-out: the call is reserved, whatever has changed since.
    if (open.has(reservation.id)) return { kind: 'admitted', now, committedNano: checks.committedNano };

    const outdated = this.#outdated(reservation, now);
    if (outdated !== null) return outdated;
    const failures = checks.refuse();
    if (failures.length > 0) return { kind: 'full', now, failures };
    const counters = checks.reserve(reservation.worstNano);
    open.set(reservation.id, leaseOf(reservation, now, counters));
    timeline.number(client);
    return { kind: 'admitted', now, committedNano: checks.committedNano };
  }

  /** Why nothing is reserved, whatever the counters hold. */
  #unready(client: LedgerClient, id: string, now: number): ReserveAnswer | null {
    const { data, timeline } = this;
    const reason = timeline.lostReason(client.epoch);
    if (reason !== null) return { kind: 'lost', reason };
    timeline.detectLoss(client);
    if (data.recovering !== null) return { kind: 'recovering' };
    if (!data.lastChanges.has(client.incarnation)) return { kind: 'unregistered' };
    if (data.timeline !== client.timeline) return { kind: 'recovering' };
    return data.hasTombstone(id, now) ? { kind: 'ended' } : null;
  }

  /** The answer to a new reservation that the fence, the clock or the usage stream excludes. */
  #outdated({ id, workspace, version, from, until, checks }: Reservation, now: number): ReserveAnswer | null {
    const { data } = this;
    // It was swept, or settled as an unchecked call: another lease would reserve it twice.
    if (data.presumed.has(id) || data.booked.has(id)) return { kind: 'ended' };
    const fence = data.fences.get(workspace) ?? data.goneFence;
    if (version < fence) return { kind: 'stale', version: fence };
    const spans = [{ start: from, end: until }, ...checks];
    if (!spans.every(({ start, end }) => start <= now && now < end)) return { kind: 'wrongPeriod', now };
    return data.usage.length >= this.#usageLimit ? { kind: 'logBehind' } : null;
  }

  async apply(client: LedgerClient, holder: string, change: LedgerChange): Promise<ChangeReply> {
    this.now();
    switch (change.kind) {
      case 'restore':
        return this.#restore(client, holder, change.reservation);
      case 'settle':
        return this.#replyTo(client, this.#settle(holder, change.settlement));
      case 'release':
        return this.#replyTo(client, this.#release(holder, change.id));
      case 'settleUnchecked':
        return this.#replyTo(client, this.#settleUnchecked(holder, change.call));
      case 'openBatch':
        break;
    }
    return this.#replyTo(client, this.#openBatch(holder, change.batch));
  }

  #settle(holder: string, settlement: Settlement): FoundCall {
    const call = this.leases.find(holder, settlement.id);
    if (call.lease !== undefined) this.leases.settle(holder, call, settlement);
    return call;
  }

  #release(holder: string, id: string): FoundCall {
    const call = this.leases.find(holder, id);
    if (call.lease !== undefined) this.leases.release(holder, id, call);
    // Also for an unknown id: its reserve may still be under way.
    this.data.writeTombstone(id, this.now() + TOMBSTONE_MS);
    return call;
  }

  #settleUnchecked(asker: string, { reservation, settlement }: UncheckedCall): FoundCall {
    const { data, leases } = this;
    const { id } = reservation;
    const own = leases.find(asker, id);
    // Any incarnation may have reserved it: the process that settles may be another one.
    const anywhere = own.status === 'unknown' ? data.openAnywhere(id) : null;
    const holder = anywhere?.holder ?? asker;
    const found: FoundCall = anywhere === null ? own : { status: 'open', lease: anywhere.lease };
    if (found.status === 'ended') return found;
    const call = found.lease === undefined ? this.#reserveUncapped(reservation) : found;
    if (settlement !== null) {
      leases.settle(holder, call, settlement, RETENTION_MS);
    } else if (call.status === 'open') {
      leases.delete(holder, id);
      leases.sweep(id, call.lease);
    } else {
      // It is presumed or booked already.
      return { status: 'ended' };
    }
    return call;
  }

  #openBatch(incarnation: string, reservation: BatchReservation): FoundCall {
    const { data, leases } = this;
    const { id, batch, meta, workspace, workspaceUid, namespaceUid } = reservation;
    if (data.batches.has(batch)) return { status: 'ended' };
    const call = leases.find(incarnation, id);
    if (call.lease === undefined) return call;
    const { lease } = call;
    const now = this.now();
    leases.delete(incarnation, id);
    data.writeTombstone(id, now + TOMBSTONE_MS);
    leases.retractPresumed(id, call);
    leases.reopen(call);
    data.batches.set(batch, { batch: { ...reservation, settledLines: 0 }, lease });
    const owner = { workspace, workspaceUid, namespaceUid };
    data.batchOwners.set(batch, { ...owner, settled: false, expireAt: now + BATCH_OWNER_TTL_MS });
    const worst = { id: `${id}/batch`, state: 'presumed', worst_nano: `${lease.worstNano}` } as const;
    const uids = { workspace_uid: workspaceUid, namespace_uid: namespaceUid };
    leases.append({ ...worst, batch, workspace, ...uids, meta }, lease);
    return call;
  }

  /** Numbers a change that found a lease, and answers. */
  #replyTo(client: LedgerClient, { status, lease }: FoundCall): ChangeReply {
    const { timeline, data } = this;
    if (lease !== undefined) {
      return { answer: status === 'open' ? 'settled' : 'corrected', sequence: timeline.numberChange(client) };
    }
    const isLost = timeline.lostReason(client.epoch) !== null;
    if (status === 'ended') return { answer: 'ended', sequence: isLost ? null : timeline.lastChangeIn(client) };
    if (!isLost) timeline.detectLoss(client);
    return { answer: !isLost && data.timeline === client.timeline ? 'unknown' : 'maybeLost', sequence: null };
  }

  #restore(client: LedgerClient, holder: string, reservation: Reservation): ChangeReply {
    const open = this.data.openOf(client.incarnation);
    // It was replayed before, and the answer was lost.
    if (open.has(reservation.id)) return { answer: 'settled', sequence: null };
    if (this.leases.find(holder, reservation.id).status !== 'unknown') return { answer: 'ended', sequence: null };
    open.set(reservation.id, this.#reserveUncapped(reservation).lease);
    return { answer: 'settled', sequence: this.timeline.numberChange(client) };
  }

  /** Reserves a call that was sent already, whatever the caps of its counters. */
  #reserveUncapped(reservation: Reservation): LeasedCall {
    const now = this.now();
    const checks = reservation.checks.filter(({ end }) => expireAt(end) > now);
    const { counters } = this.data;
    const reserved = new ReservationCounters({ ...reservation, checks }, counters, now).reserveUncapped(
      reservation.worstNano,
    );
    return { status: 'open', lease: leaseOf(reservation, now, reserved) };
  }

  async beat(client: LedgerClient, successor: string, report: GatewayReport): Promise<BeatReply> {
    const { data, timeline } = this;
    const now = this.now();
    const isFirst = successor !== '';
    const incarnation = isFirst ? successor : client.incarnation;
    const reason = timeline.lostReason(client.epoch);
    if (reason !== null) return { kind: 'lost', reason };
    timeline.detectLoss(client);
    if (data.lastChanges.has(incarnation)) {
      // Overdue, but not swept: the ledger was out of reach for every gateway, so all of them get a lease's time to return.
      if (now - (data.beats.get(incarnation) ?? now) > LEASE_MS) data.sweepPausedUntil = now + LEASE_MS;
    } else if (isFirst || data.recovering !== null) {
      // During a recovery the registration of any incarnation may be lost.
      data.lastChanges.set(incarnation, timeline.lastChangeOf(client.incarnation) ?? 0);
      if (data.timeline === client.timeline) timeline.number({ ...client, incarnation });
    } else {
      return { kind: 'swept' };
    }
    data.beats.set(incarnation, now);
    data.reports.set(incarnation, report);
    timeline.endIfDue();
    return {
      kind: data.recovering === null ? 'alive' : 'recovering',
      now,
      timeline: data.timeline,
      lastChange: data.lastChanges.get(incarnation) ?? 0,
      timelineStart: data.timelineStart,
      sequence: data.sequence,
      open: [...data.openOf(incarnation).keys()],
      incarnations: [...data.beats.keys()],
    };
  }

  async join(client: LedgerClient, request: JoinRequest): Promise<JoinReply> {
    const { data, timeline } = this;
    this.now();
    const reason = timeline.lostReason(client.epoch);
    if (reason !== null) return { kind: 'lost', reason };
    if (!timeline.join(client.incarnation, request)) return { kind: 'again' };
    const sequence = timeline.number({ ...client, timeline: request.timeline }) ?? 0;
    timeline.endIfDue();
    return { kind: data.recovering === null ? 'alive' : 'recovering', sequence };
  }

  async leave(incarnation: string): Promise<void> {
    if (this.data.openOf(incarnation).size === 0) this.data.unregister(incarnation);
  }

  async batchOwners(batches: readonly string[]): Promise<readonly (BatchOwner | null)[]> {
    this.now();
    return batches.map((batch) => {
      const { expireAt: _, ...owner } = this.data.batchOwners.get(batch) ?? {};
      return 'workspace' in owner ? owner : null;
    });
  }

  async ownsFiles(owner: FileOwner, files: readonly string[]): Promise<readonly boolean[]> {
    this.now();
    const own = this.data.files.get(fileOwnerName(owner))?.ids;
    return files.map((file) => own?.has(file) === true);
  }

  async countFiles(owner: FileOwner): Promise<number> {
    this.now();
    return this.data.files.get(fileOwnerName(owner))?.ids.size ?? 0;
  }

  async listFiles(owner: FileOwner, after: string | null, limit: number): Promise<readonly string[]> {
    this.now();
    const ids = [...(this.data.files.get(fileOwnerName(owner))?.ids ?? [])];
    const newest = ids.toSorted(([a, at], [b, bt]) => bt - at || (a < b ? 1 : -1)).map(([id]) => id);
    const from = after === null ? 0 : newest.indexOf(after) + 1;
    return newest.slice(from, from + limit);
  }

  async addFile(owner: FileOwner, file: string, at: number): Promise<void> {
    const expireAt = this.now() + FILES_TTL_MS;
    const name = fileOwnerName(owner);
    const ids = this.data.files.get(name)?.ids ?? new Map<string, number>();
    this.data.files.set(name, { ids: ids.set(file, at), expireAt });
  }

  async removeFile(owner: FileOwner, file: string): Promise<void> {
    this.data.files.get(fileOwnerName(owner))?.ids.delete(file);
  }

  async appendFreeUsage(record: UsageRecord, share: number): Promise<boolean> {
    if (this.data.usage.length >= Math.floor(this.#usageLimit * share)) return false;
    this.data.usage.push({ entry: this.data.nextEntry(), record, counters: [], keepUntil: 0 });
    return true;
  }

  async recordRefusals(rows: readonly RefusalRow[], unasked: readonly UnaskedRefusals[]): Promise<void> {
    const { data } = this;
    this.now();
    for (const refusals of unasked) data.counters.countRefused(refusals);
    const entries = rows.map((row) => ({ entry: data.nextEntry(), row }));
    data.refusals = [...data.refusals, ...entries].slice(-MAX_REFUSAL_ROWS);
  }
}

function leaseOf(reservation: Reservation, now: number, counters: readonly MemoryCounter[]): Lease {
  const { workspace, worstNano, gapNano, checks } = reservation;
  const keepUntil = Math.max(expireAt(now), ...checks.map(({ end }) => expireAt(end)));
  return { workspace, worstNano, gapNano, keepUntil, counters };
}
