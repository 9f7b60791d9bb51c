import type { Reading, ReadingQuery } from '../../policy/core/counter-reading.ts';
import { LEASE_MS } from '../durations.ts';
import type { LedgerState, SharedOperations } from '../ledger.ts';
import { MemoryLeases } from './leases.ts';
import type { MemoryState } from './state.ts';
import { MemoryTimeline } from './timeline.ts';

export class MemorySharedOperations implements SharedOperations {
  protected readonly leases: MemoryLeases;
  protected readonly timeline: MemoryTimeline;
  protected readonly data: MemoryState;
  readonly #clock: () => number;
  readonly #expectedEpoch: () => string | null;

  /** `clock`: milliseconds since the epoch. `expectedEpoch`: the epoch in which the client expects the ledger, or null. */
  constructor(data: MemoryState, clock: () => number, expectedEpoch: () => string | null) {
    this.data = data;
    this.#clock = clock;
    this.#expectedEpoch = expectedEpoch;
    this.leases = new MemoryLeases(data, clock);
    this.timeline = new MemoryTimeline(data, clock);
  }

  /** The ledger's clock, after deleting what has expired. Milliseconds since the epoch. */
  protected now(): number {
    const now = this.#clock();
    this.data.expire(now);
    return now;
  }

  async read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]> {
    this.now();
    return queries.map((query) => this.data.counters.read(query));
  }

  async state(): Promise<LedgerState> {
    const now = this.now();
    const { epoch, sequence, usage, presumed, recovering } = this.data;
    const lost = this.timeline.lostReason(this.#expectedEpoch() ?? '');
    const recovery = recovering && { since: recovering.since, deep: recovering.deep, missing: this.timeline.missing };
    const [streamLength, presumedCount] = [usage.length, presumed.size];
    return { now, epoch, lost, sequence, streamLength, presumedCount, recovering: recovery };
  }

  async sweep(): Promise<number> {
    const { data } = this;
    const now = this.now();
    this.leases.dropExpired();
    if (data.epoch === null) return 0;
    // After a restart, sweep no gateway for one lease period: none of them could send a heartbeat.
    if (this.timeline.isRestarted) this.timeline.beginRecovery();
    if (data.recovering !== null || now < data.sweepPausedUntil) return 0;
    let swept = 0;
    for (const [incarnation, beat] of data.beats) {
      if (beat >= now - LEASE_MS) continue;
      const open = data.openOf(incarnation);
      if (open.size > 0) this.timeline.count();
      for (const [id, lease] of open) this.leases.sweep(id, lease);
      swept += open.size;
      data.unregister(incarnation);
    }
    return swept;
  }
}
