import type { Reading, ReadingQuery } from '../../policy/core/counter-reading.ts';
import { checkAmount } from '../amount-checks.ts';
import { type BatchLines, type LoggedBatch, type OpenBatch, BATCH_OWNER_TTL_MS } from '../batches.ts';
import { TOMBSTONE_MS } from '../keys.ts';
import { LEASE_MS } from '../ledger.ts';
import type { CounterMinimum, LedgerState, LivingGateway, OperatorLedger, PresumedCall } from '../ledger.ts';
import type { RefusalEntry, StreamEntry } from '../streams.ts';
import { MemoryCalls } from './calls.ts';
import { MemoryState, type HeldBatch } from './state.ts';
import { Timeline } from './timeline.ts';

/** The clock and the epoch of a ledger in memory. */
export interface MemoryOptions {
  /** Milliseconds since the epoch: the ledger's clock. */
  readonly clock: () => number;
  readonly epoch: () => string | null;
  /** What several clients share; by default one of its own. */
  readonly books?: MemoryState;
  /** How many usage records may wait in the stream before nothing more is admitted. */
  readonly usageLimit?: number;
}

/** What the operator does with a ledger in memory, and what both do. */
export class MemoryOperatorLedger implements OperatorLedger {
  readonly books: MemoryState;
  protected readonly calls: MemoryCalls;
  protected readonly line: Timeline;
  protected readonly expectedEpoch: () => string | null;
  readonly #clock: () => number;

  constructor(options: MemoryOptions) {
    this.books = options.books ?? new MemoryState();
    this.#clock = options.clock;
    this.expectedEpoch = options.epoch;
    this.calls = new MemoryCalls(this.books, options.clock);
    this.line = new Timeline(this.books, options.clock);
  }

  async sweep(): Promise<number> {
    const { books } = this;
    const now = this.now();
    this.calls.forgetPast();
    if (books.epoch === null) return 0;
    // Nobody is silent who cannot be heard: after a restart all get a lease's time.
    if (books.run !== books.server) this.line.recover();
    if (books.recovering !== null || now < books.sparedUntil) return 0;
    let swept = 0;
    for (const [incarnation, beat] of books.beats) {
      if (beat >= now - LEASE_MS) continue;
      const leases = books.openOf(incarnation);
      if (leases.size > 0) books.sequence += 1;
      for (const [id, lease] of leases) this.calls.sweep(id, lease);
      swept += leases.size;
      books.unregister(incarnation);
    }
    return swept;
  }

  async read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]> {
    this.now();
    return queries.map((query) => this.books.read(query));
  }

  async state(): Promise<LedgerState> {
    const now = this.now();
    const { epoch, sequence, usage, presumed, recovering } = this.books;
    const state = { now, epoch, sequence, streamLength: usage.length, presumedCount: presumed.size };
    const lost = this.line.lost(this.expectedEpoch() ?? '');
    if (recovering === null) return { ...state, lost, recovering };
    const { since, deep } = recovering;
    return { ...state, lost, recovering: { since, deep, missing: this.line.missing } };
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
    this.line.end();
    this.books.sequence += 1;
    this.line.begin();
  }

  async beginRebuild(epoch: string): Promise<void> {
    const { books } = this;
    const isUnderWay = books.epoch === epoch && books.run === books.server && books.recovering !== null;
    if (isUnderWay && books.recovering?.deep != null) return;
    books.epoch = epoch;
    this.line.recover();
    this.line.deepen('rebuild');
  }

  async resume(since: number): Promise<boolean> {
    const { books, line } = this;
    if (books.recovering !== null && books.run !== books.server) line.recover();
    if (books.recovering?.since !== since) return false;
    line.end();
    books.sequence += 1;
    return true;
  }

  async raiseCounters(floors: readonly CounterMinimum[]): Promise<void> {
    for (const { counter, keepUntil, spentNano, presumedNano, requests } of floors) {
      const cell = this.books.named(counter, keepUntil);
      this.books.keep(cell);
      const missing = larger(0n, spentNano - cell.spent);
      const more = missing + larger(0n, presumedNano - (cell.certain - cell.spent));
      cell.checkRoom(more);
      cell.spent += missing;
      cell.certain += more;
      cell.committed += more;
      cell.requests = Math.max(cell.requests, requests);
      cell.score = Math.max(cell.score, Number(spentNano));
    }
    if (floors.length > 0) this.books.sequence += 1;
  }

  async presumedCalls(limit: number): Promise<readonly PresumedCall[]> {
    const oldest = [...this.books.presumed].toSorted(([a, one], [b, two]) => one.since - two.since || (a < b ? -1 : 1));
    return oldest.slice(0, limit).map(([id, { lease, since }]) => ({
      id,
      worstNano: lease.worstNano,
      presumedSince: since,
      counters: lease.cells.map(({ name }) => name),
    }));
  }

  async resolvePresumed(ids: readonly string[], how: 'Book' | 'Release'): Promise<number> {
    const resolved = ids.filter((id) => this.calls.resolve(id, how === 'Book')).length;
    if (resolved > 0) this.books.sequence += 1;
    return resolved;
  }

  async openBatches(): Promise<readonly OpenBatch[]> {
    return [...this.books.batches.values()].map(({ known, lease }) => ({ ...known, reservedNano: lease.worstNano }));
  }

  async settleBatchLines({ batch, from, lines }: BatchLines): Promise<{ settledLines: number }> {
    for (const { costNano } of lines) checkAmount(costNano);
    const open = this.books.batches.get(batch);
    if (open?.known.settledLines !== from) return { settledLines: open?.known.settledLines ?? -1 };
    const costNano = lines.reduce((sum, line) => sum + line.costNano, 0n);
    const lease = this.calls.shrink(open.lease, costNano, lines.length);
    for (const { record } of lines) this.calls.append(record, lease);
    this.books.batches.set(batch, { known: { ...open.known, settledLines: from + lines.length }, lease });
    this.books.sequence += 1;
    return { settledLines: from + lines.length };
  }

  async closeBatch(batch: string): Promise<void> {
    const open = this.books.batches.get(batch);
    if (open === undefined) return;
    const id = `${open.known.id}/batch`;
    this.calls.append({ id, state: 'released', cost_nano: '0', estimated: true }, open.lease);
    this.calls.replace({ kind: 'open', lease: open.lease }, 0n, 0n);
    this.books.batches.delete(batch);
    const owner = this.books.owners.get(batch);
    if (owner !== undefined) this.books.owners.set(batch, { ...owner, settled: true });
    this.books.sequence += 1;
  }

  async restoreBatches(batches: readonly LoggedBatch[]): Promise<void> {
    for (const { reservedNano } of batches) checkAmount(reservedNano);
    for (const kept of batches) {
      const open = this.books.batches.get(kept.batch) ?? this.#emptied(kept);
      const isBehind = kept.settled || open.known.settledLines < kept.settledLines;
      if (isBehind && this.books.owners.get(kept.batch)?.settled !== true) this.#restore(kept, open);
    }
  }

  /** A batch that the ledger lost, before it holds anything. */
  #emptied({ id, batch, workspace, meta, counters, keepUntil }: LoggedBatch): HeldBatch {
    const cells = counters.map((counter) => this.books.named(counter, keepUntil));
    return {
      known: { id, batch, workspace, meta, settledLines: -1 },
      lease: { worstNano: 0n, gapNano: 0n, keepUntil, cells },
    };
  }

  #restore(
    { batch, id, workspace, settled, settledLines, reservedNano }: LoggedBatch,
    { known, lease }: HeldBatch,
  ): void {
    const { books, calls } = this;
    const now = this.now();
    if (settled) {
      calls.replace({ kind: 'open', lease }, 0n, 0n);
      books.batches.delete(batch);
    } else {
      books.batches.set(batch, { known: { ...known, settledLines }, lease: calls.resize(lease, reservedNano) });
    }
    books.owners.set(batch, { workspace, settled, until: now + BATCH_OWNER_TTL_MS });
    books.entomb(id, now + TOMBSTONE_MS);
    books.sequence += 1;
  }

  async readUsage(count: number): Promise<readonly StreamEntry[]> {
    return this.books.usage.slice(0, count);
  }

  async deleteUsage(entries: readonly string[]): Promise<void> {
    this.books.usage = this.books.usage.filter(({ entry }) => !entries.includes(entry));
  }

  async readRefusals(count: number): Promise<readonly RefusalEntry[]> {
    return this.books.refusals.slice(0, count);
  }

  async deleteRefusals(entries: readonly string[]): Promise<void> {
    this.books.refusals = this.books.refusals.filter(({ entry }) => !entries.includes(entry));
  }

  protected now(): number {
    const now = this.#clock();
    this.books.forget(now);
    return now;
  }
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
