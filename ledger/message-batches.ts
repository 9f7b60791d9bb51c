import type { Nano } from '../policy/core/money.ts';
import type { Owner } from '../policy/core/owner.ts';
import type { UsageRecord } from '../policy/core/usage-record.ts';

/** A Message Batch that takes over the reservation `id` of its owner. */
export interface BatchReservation extends Owner {
  readonly id: string;
  /** The upstream's id of the batch. */
  readonly batch: string;
  /** What the operator's poller needs to know of it: JSON. */
  readonly meta: string;
}

/** Whose a batch is, and whether all of it is settled. */
export interface BatchOwner extends Owner {
  readonly settled: boolean;
}

/** A batch that is not settled yet. */
export interface OpenBatch extends BatchReservation {
  readonly settledLines: number;
  /** What is still reserved of its worst case. Nano-dollars. */
  readonly reservedNano: Nano;
}

/** A batch as the usage log knows it. `reservedNano` is 0n where it is settled. */
export interface LoggedBatch extends OpenBatch, BatchOwner {
  /** The full names of its counters. */
  readonly counters: readonly string[];
  /** When those counters expire. Milliseconds since the epoch. */
  readonly keepUntil: number;
}

/** The lines `from`, `from + 1`, … of a batch's results. */
export interface BatchLines {
  readonly batch: string;
  readonly from: number;
  readonly lines: readonly { readonly costNano: Nano; readonly record: UsageRecord }[];
}

/** The arguments of a script for an owner: workspace, its uid, and the uid of its namespace. */
export function encodeOwner({ workspace, workspaceUid, namespaceUid }: Owner): string[] {
  return [workspace, workspaceUid, namespaceUid];
}

/** How long the ledger knows the owner of a batch: as long as its results can be fetched, and a day. Milliseconds. */
export const BATCH_OWNER_TTL_MS = 30 * 24 * 60 * 60 * 1000;
