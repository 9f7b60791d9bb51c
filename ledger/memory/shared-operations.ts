import type { Reading, ReadingQuery } from '../../policy/core/counter-reading.ts';
import { LEASE_MS } from '../durations.ts';
import type { LedgerState } from '../ledger-state.ts';
import type { SharedOperations } from '../shared-operations.ts';
import type { MemoryLeases } from './leases.ts';
import type { MemoryState } from './state.ts';
import type { MemoryTimeline } from './timeline.ts';

/** What both sides of a ledger in memory work on. */
export interface MemoryParts {
  readonly data: MemoryState;
  readonly leases: MemoryLeases;
  readonly timeline: MemoryTimeline;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** The epoch in which the client expects the ledger, or null. */
  readonly expectedEpoch: () => string | null;
}

/** What gateways and the operator both do, in memory. */
export class MemorySharedOperations implements SharedOperations {
  protected readonly data: MemoryState;
  protected readonly leases: MemoryLeases;
  protected readonly timeline: MemoryTimeline;
  readonly #parts: MemoryParts;

  constructor(parts: MemoryParts) {
    this.#parts = parts;
    this.data = parts.data;
    this.leases = parts.leases;
    this.timeline = parts.timeline;
  }

  /** The ledger's clock, after deleting what has expired. Milliseconds since the epoch. */
  protected now(): number {
    const now = this.#parts.clock();
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
    const lost = this.timeline.lostReason(this.#parts.expectedEpoch() ?? '');
    const { missing } = this.timeline;
    return {
      now,
      epoch,
      lost,
      sequence,
      streamLength: usage.length,
      presumedCount: presumed.size,
      recovering: recovering === null ? null : { since: recovering.since, deep: recovering.deep, missing },
    };
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
