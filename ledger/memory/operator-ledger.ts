import { max, subtract, sum, ZERO } from '../../policy/core/money.ts';
import { checkAmount } from '../amount-checks.ts';
import { RETENTION_MS, TOMBSTONE_MS } from '../durations.ts';
import { BATCH_OWNER_TTL_MS, type BatchLines, type LoggedBatch, type OpenBatch } from '../message-batches.ts';
import type {
  CounterCorrection,
  CounterMinimum,
  LivingGateway,
  OperatorLedger,
  PresumedCall,
  ReleasedCalls,
} from '../operator-ledger.ts';
import type { RefusalEntry, StreamEntry } from '../streams.ts';
import { MemorySharedOperations } from './shared-operations.ts';
import type { BatchLease } from './state.ts';

export class MemoryOperatorLedger extends MemorySharedOperations implements OperatorLedger {
  async gateways(): Promise<readonly LivingGateway[]> {
    return [...this.data.reports].map(([incarnation, report]) => ({ incarnation, ...report }));
  }

  async raiseFences(fences: ReadonlyMap<string, number>): Promise<void> {
    for (const [workspace, version] of fences) {
      this.data.fences.set(workspace, Math.max(version, this.data.fences.get(workspace) ?? 0));
    }
    if (fences.size > 0) this.timeline.count();
  }

  async forgetFences(gone: ReadonlyMap<string, number>): Promise<void> {
    const { data } = this;
    for (const [workspace, version] of gone) {
      data.goneFence = Math.max(data.goneFence, version, data.fences.get(workspace) ?? 0);
      data.fences.delete(workspace);
    }
    if (gone.size > 0) this.timeline.count();
  }

  async fences(): Promise<ReadonlyMap<string, number>> {
    return new Map(this.data.fences);
  }

  async establish(epoch: string): Promise<void> {
    this.data.epoch = epoch;
    this.timeline.endRecovery();
    this.timeline.count();
    this.timeline.begin();
  }

  async beginRebuild(epoch: string): Promise<void> {
    const { data, timeline } = this;
    const isUnderWay = data.epoch === epoch && !timeline.isRestarted && data.recovering !== null;
    if (isUnderWay && data.recovering?.deep != null) return;
    data.epoch = epoch;
    timeline.beginRecovery();
    timeline.deepen('rebuild');
  }

  async resume(since: number): Promise<boolean> {
    const { data, timeline } = this;
    if (data.recovering !== null && timeline.isRestarted) timeline.beginRecovery();
    if (data.recovering?.since !== since) return false;
    timeline.endRecovery();
    timeline.count();
    return true;
  }

  async raiseCounters(minimums: readonly CounterMinimum[]): Promise<void> {
    const { counters } = this.data;
    for (const { counter: name, keepUntil, spentNano, presumedNano, requests, correctedNano } of minimums) {
      const counter = counters.named(name, keepUntil);
      const settledNano = max(counter.settledNano, spentNano);
      const knownPresumedNano = subtract(counter.certainNano, counter.spentNano);
      const missingNano = max(ZERO, subtract(presumedNano, knownPresumedNano));
      counter.correct(settledNano, correctedNano ?? counter.correctedNano, missingNano);
      counter.requests = Math.max(counter.requests, requests);
      // One that is there stays, whatever it holds.
      if (counters.kept(counter) === null) counters.store(counter);
    }
    if (minimums.length > 0) this.timeline.count();
  }

  async correctCounters(corrections: readonly CounterCorrection[]): Promise<number> {
    const { counters } = this.data;
    this.now();
    let changed = 0;
    for (const { counter: name, correctedNano } of corrections) {
      const counter = counters.kept(counters.named(name, 0));
      if (counter === null) continue;
      const before = counter.spentNano;
      if (!counter.correct(counter.settledNano, correctedNano)) continue;
      changed += 1;
      // There is room again.
      if (counter.spentNano < before) counter.exhaustedAtNano = null;
    }
    if (changed > 0) this.timeline.count();
    return changed;
  }

  async presumedCalls(limit: number): Promise<readonly PresumedCall[]> {
    const oldest = [...this.data.presumed].toSorted(([a, one], [b, two]) => one.since - two.since || (a < b ? -1 : 1));
    return oldest.slice(0, limit).map(([id, { lease, since }]) => ({
      id,
      worstNano: lease.worstNano,
      presumedSince: since,
      counters: lease.counters.map(({ name }) => name),
    }));
  }

  async resolvePresumed(ids: readonly string[], how: 'Book' | 'Release'): Promise<number> {
    const resolved = ids.filter((id) => this.leases.resolve(id, how === 'Book')).length;
    if (resolved > 0) this.timeline.count();
    return resolved;
  }

  async endBooked(ids: readonly string[]): Promise<number> {
    const { data } = this;
    const ended = ids.filter((id) => data.booked.delete(id));
    for (const id of ended) data.writeTombstone(id, this.now() + RETENTION_MS);
    if (ended.length > 0) this.timeline.count();
    return ended.length;
  }

  async releaseDue(): Promise<ReleasedCalls> {
    const { data } = this;
    const now = this.now();
    if (data.epoch === null || data.recovering !== null) return { calls: 0, releasedNano: ZERO };
    const due = [...data.presumed].filter(([, { releaseAt }]) => releaseAt !== null && releaseAt <= now);
    for (const [id] of due) this.leases.resolve(id, false);
    if (due.length > 0) this.timeline.count();
    return { calls: due.length, releasedNano: sum(due.map(([, { lease }]) => lease.worstNano)) };
  }

  async openBatches(): Promise<readonly OpenBatch[]> {
    return [...this.data.batches.values()].map(({ batch, lease }) => ({ ...batch, reservedNano: lease.worstNano }));
  }

  async settleBatchLines({ batch, from, lines }: BatchLines): Promise<{ settledLines: number }> {
    for (const { costNano } of lines) checkAmount(costNano);
    const open = this.data.batches.get(batch);
    if (open?.batch.settledLines !== from) return { settledLines: open?.batch.settledLines ?? -1 };
    const costNano = sum(lines.map((line) => line.costNano));
    const lease = this.leases.settlePart(open.lease, costNano, lines.length);
    for (const { record } of lines) this.leases.append(record, lease);
    const settledLines = from + lines.length;
    this.data.batches.set(batch, { batch: { ...open.batch, settledLines }, lease });
    this.timeline.count();
    return { settledLines };
  }

  async closeBatch(batch: string): Promise<void> {
    const open = this.data.batches.get(batch);
    if (open === undefined) return;
    const id = `${open.batch.id}/batch`;
    const worst_nano = `${open.lease.worstNano}`;
    this.leases.append({ id, state: 'released', cost_nano: '0', worst_nano, estimated: true }, open.lease);
    this.leases.replace({ status: 'open', lease: open.lease }, ZERO, ZERO);
    this.data.batches.delete(batch);
    const owner = this.data.batchOwners.get(batch);
    if (owner !== undefined) this.data.batchOwners.set(batch, { ...owner, settled: true });
    this.timeline.count();
  }

  async restoreBatches(batches: readonly LoggedBatch[]): Promise<void> {
    for (const { reservedNano } of batches) checkAmount(reservedNano);
    for (const logged of batches) {
      const open = this.data.batches.get(logged.batch) ?? this.#withoutLines(logged);
      const isBehind = logged.settled || open.batch.settledLines < logged.settledLines;
      if (isBehind && this.data.batchOwners.get(logged.batch)?.settled !== true) this.#restoreBatch(logged, open);
    }
  }

  /** A batch that the ledger lost, before anything is reserved for it. */
  #withoutLines(logged: LoggedBatch): BatchLease {
    const { id, batch, meta, workspace, workspaceUid, namespaceUid, counters, keepUntil } = logged;
    const lease = {
      worstNano: ZERO,
      gapNano: ZERO,
      keepUntil,
      workspace,
      counters: counters.map((counter) => this.data.counters.named(counter, keepUntil)),
    };
    return { batch: { id, batch, meta, workspace, workspaceUid, namespaceUid, settledLines: -1 }, lease };
  }

  #restoreBatch(logged: LoggedBatch, open: BatchLease): void {
    const { id, batch, workspace, workspaceUid, namespaceUid, settled, settledLines, reservedNano } = logged;
    const { data, leases } = this;
    const now = this.now();
    if (settled) {
      leases.replace({ status: 'open', lease: open.lease }, ZERO, ZERO);
      data.batches.delete(batch);
    } else {
      const lease = leases.resize(open.lease, reservedNano);
      data.batches.set(batch, { batch: { ...open.batch, settledLines }, lease });
    }
    const owner = { workspace, workspaceUid, namespaceUid };
    data.batchOwners.set(batch, { ...owner, settled, expireAt: now + BATCH_OWNER_TTL_MS });
    // A gateway may come back and replay how it opened the batch.
    data.writeTombstone(id, now + TOMBSTONE_MS);
    this.timeline.count();
  }

  async readUsage(count: number): Promise<readonly StreamEntry[]> {
    return this.data.usage.slice(0, count);
  }

  async deleteUsage(entries: readonly string[]): Promise<void> {
    this.data.usage = this.data.usage.filter(({ entry }) => !entries.includes(entry));
  }

  async readRefusals(count: number): Promise<readonly RefusalEntry[]> {
    return this.data.refusals.slice(0, count);
  }

  async deleteRefusals(entries: readonly string[]): Promise<void> {
    this.data.refusals = this.data.refusals.filter(({ entry }) => !entries.includes(entry));
  }
}
