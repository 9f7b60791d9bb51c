import type { Nano } from '../../policy/core/money.ts';
import type { OpenBatch } from '../message-batches.ts';
import type { MemoryCounter } from './counter.ts';

/** The worst case of a call, reserved in each of its counters. */
export interface Lease {
  readonly worstNano: Nano;
  readonly gapNano: Nano;
  /** When the last of its counters expires. Milliseconds since the epoch. */
  readonly keepUntil: number;
  readonly counters: readonly MemoryCounter[];
}

/** Money of a call whose cost is not known: all of a swept lease, or the rest of a settle. */
export interface PresumedLease {
  readonly origin: 'swept' | 'rest';
  readonly lease: Lease;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** A Message Batch that is not settled yet. */
export interface BatchLease {
  readonly batch: Omit<OpenBatch, 'reservedNano'>;
  readonly lease: Lease;
}
