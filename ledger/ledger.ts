import type { Reading, ReadingQuery } from '../policy/core/counter-reading.ts';

/** The ledger did not answer in time, or refused the connection. */
export class LedgerUnreachable extends Error {
  override readonly name = 'LedgerUnreachable';
}

/** Why a ledger that came back cannot be used: it holds nothing, or it belongs to another epoch. */
export type LostReason = 'empty' | 'otherEpoch';

export interface LedgerState {
  /** The ledger's clock. Milliseconds since the epoch. */
  readonly now: number;
  /** Null where no ledger was ever established here. */
  readonly epoch: string | null;
  /** Why it is down for the client that asks, or null. */
  readonly lost: LostReason | null;
  /** The number of its last change, of counters, fences or leases. A lower number than before means lost changes. */
  readonly sequence: number;
  readonly streamLength: number;
  readonly presumedCount: number;
  /** Null where calls are admitted. */
  readonly recovering: Recovering | null;
}

/** A ledger that may have lost changes. */
export interface Recovering {
  /** Milliseconds, by the ledger's clock. */
  readonly since: number;
  /** Why replay logs do not suffice, so that the recovery ends only with `resume`; else null. */
  readonly deep: string | null;
  /** The incarnations that have not replayed their changes yet. */
  readonly missing: readonly string[];
}

/** What gateways and the operator both do. */
export interface SharedOperations {
  read(queries: readonly ReadingQuery[]): Promise<readonly Reading[]>;
  state(): Promise<LedgerState>;
  /** Makes leases of silent incarnations presumed; returns how many. The operator sweeps too: all gateways may die. */
  sweep(): Promise<number>;
}
