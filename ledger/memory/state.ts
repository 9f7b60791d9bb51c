import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Nano } from '../../policy/core/money.ts';
import type { GatewayReport } from '../gateway-ledger.ts';
import type { BatchOwner, OpenBatch } from '../message-batches.ts';
import type { RefusalEntry, StreamEntry } from '../streams.ts';
import type { MemoryCounter } from './counter.ts';
import { MemoryCounters } from './counters.ts';

/** The worst case of a call, reserved in each of its counters. */
export interface Lease {
  readonly worstNano: Nano;
  readonly gapNano: Nano;
  /** When the last of its counters expires. Milliseconds since the epoch. */
  readonly keepUntil: number;
  readonly counters: readonly MemoryCounter[];
  readonly workspace: Ref;
}

/** Money of a call whose cost is not known: all of a swept lease, or the rest of a settle. */
export interface PresumedLease {
  readonly origin: 'swept' | 'rest';
  readonly lease: Lease;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** When it is released by itself, in milliseconds since the epoch; null if it is not. */
  readonly releaseAt: number | null;
}

export interface BatchLease {
  readonly batch: Omit<OpenBatch, 'reservedNano'>;
  readonly lease: Lease;
}

/** Between two looks for what has expired: each goes through everything. Milliseconds. */
const EXPIRY_INTERVAL_MS = 1000;

/** All that a ledger holds; redis/keys.ts describes the same in Redis. */
export class MemoryState {
  epoch: string | null = null;
  sequence = 0;
  sweepPausedUntil = 0;
  /** Identifies this run of the server; another one after each restart. */
  serverRunId = 'first';
  /** The run on which the ledger was last in force. */
  runId = '';
  timeline = '';
  timelines = 0;
  /** The sequence at which the timeline began. */
  timelineStart = 0;
  /** Since when, why it is deep, and whether a change of any session was lost. */
  recovering: { readonly since: number; readonly deep: string | null; readonly hadMissing: boolean } | null = null;
  /** By incarnation, during a recovery. */
  readonly recovery = new Map<string, 'expected' | 'replayed'>();
  /** By living incarnation: the number of its last change in the timeline that it has joined. */
  readonly lastChanges = new Map<string, number>();
  /** The same of unregistered incarnations. */
  readonly pastLastChanges = new Map<string, number>();
  readonly beats = new Map<string, number>();
  readonly reports = new Map<string, GatewayReport>();
  readonly fences = new Map<string, number>();
  /** The fence of every workspace without one: the highest that was forgotten. */
  goneFence = 0;
  readonly counters = new MemoryCounters();
  readonly presumed = new Map<string, PresumedLease>();
  /** Calls that were resolved without their cost. */
  readonly booked = new Map<string, Lease>();
  readonly batches = new Map<string, BatchLease>();
  readonly batchOwners = new Map<string, BatchOwner & { readonly expireAt: number }>();
  /** By the owner's name; with when each was uploaded. */
  readonly files = new Map<string, { readonly ids: Map<string, number>; expireAt: number }>();
  usage: StreamEntry[] = [];
  refusals: RefusalEntry[] = [];
  /** Open leases by incarnation, then by call id. */
  readonly open = new Map<string, Map<string, Lease>>();
  /** When each tombstone expires. */
  readonly tombstones = new Map<string, number>();
  #entries = 0;
  #expireFrom = 0;

  openOf(incarnation: string): Map<string, Lease> {
    const open = this.open.get(incarnation) ?? new Map<string, Lease>();
    this.open.set(incarnation, open);
    return open;
  }

  /** The open lease of a call, whichever living incarnation has it. */
  openAnywhere(id: string): { readonly holder: string; readonly lease: Lease } | null {
    for (const holder of this.beats.keys()) {
      const lease = this.openOf(holder).get(id);
      if (lease !== undefined) return { holder, lease };
    }
    return null;
  }

  writeTombstone(id: string, expireAt: number): void {
    this.tombstones.set(id, expireAt);
  }

  hasTombstone(id: string, now: number): boolean {
    return (this.tombstones.get(id) ?? 0) > now;
  }

  /** The incarnation can reserve nothing more. */
  unregister(incarnation: string): void {
    const last = this.lastChanges.get(incarnation);
    if (last !== undefined) this.pastLastChanges.set(incarnation, last);
    this.lastChanges.delete(incarnation);
    this.beats.delete(incarnation);
    this.reports.delete(incarnation);
    this.open.delete(incarnation);
  }

  nextEntry(): string {
    return `${(this.#entries += 1)}-0`;
  }

  /** Deletes what has expired at `now`, milliseconds since the epoch; looks for that once a second at most. */
  expire(now: number): void {
    if (now < this.#expireFrom) return;
    this.#expireFrom = now + EXPIRY_INTERVAL_MS;
    this.counters.expire(now);
    for (const [batch, { expireAt }] of this.batchOwners) if (expireAt <= now) this.batchOwners.delete(batch);
    for (const [owner, { expireAt }] of this.files) if (expireAt <= now) this.files.delete(owner);
    for (const [id, expireAt] of this.tombstones) if (expireAt <= now) this.tombstones.delete(id);
  }
}
