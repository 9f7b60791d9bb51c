import { RECORD_STATES, type RecordState } from '../policy/core/usage-record.ts';
import type { Row } from './call-row.ts';

/** What the table holds of a call. */
export interface KnownCall {
  readonly state: RecordState;
  /** The cost, or the presumed amount while the cost is not known. Nano-dollars. */
  readonly amountNano: bigint;
}

/** What a call adds to each of its counters. Nano-dollars. */
interface Contribution {
  readonly spentNano: bigint;
  readonly presumedNano: bigint;
  readonly requests: number;
}

/** By how much the totals of a counter change; `keepUntil` in milliseconds. */
export interface TotalChange extends Contribution {
  readonly counter: string;
  readonly keepUntil: number;
}

/** Which rows to insert or replace, and how the totals of their counters change. Pure. */
export interface UpsertPlan {
  readonly rows: readonly Row[];
  readonly totals: readonly TotalChange[];
}

const NOTHING: Contribution = { spentNano: 0n, presumedNano: 0n, requests: 0 };

/** Plans for rows in the order of the stream; `known` is what the table holds of their ids. */
export function planUpsert(rows: readonly Row[], known: ReadonlyMap<string, KnownCall>): UpsertPlan {
  const planned = new Map<string, Row>();
  const totals = new Map<string, TotalChange>();
  for (const row of rows) {
    const before = planned.get(row.id) ?? known.get(row.id);
    if (before !== undefined && !knowsMore(row.state, before.state)) continue;
    planned.set(row.id, row);
    const from = before === undefined ? NOTHING : contribution(before);
    const to = contribution(row);
    for (const counter of row.counters) {
      const sum = totals.get(counter) ?? { ...NOTHING, keepUntil: 0 };
      totals.set(counter, {
        counter,
        keepUntil: Math.max(row.keepUntil, sum.keepUntil),
        spentNano: sum.spentNano + to.spentNano - from.spentNano,
        presumedNano: sum.presumedNano + to.presumedNano - from.presumedNano,
        requests: sum.requests + to.requests - from.requests,
      });
    }
  }
  return { rows: [...planned.values()], totals: [...totals.values()] };
}

/** Whether a record replaces an earlier one of the same call. A record of the same rank changes nothing. */
function knowsMore(next: RecordState, before: RecordState): boolean {
  return RECORD_STATES.indexOf(next) > RECORD_STATES.indexOf(before);
}

/** Presumed money is not spent, and only a settled call counts as a request. */
function contribution({ state, amountNano }: KnownCall): Contribution {
  const isPresumed = state === 'presumed';
  return {
    spentNano: isPresumed ? 0n : amountNano,
    presumedNano: isPresumed ? amountNano : 0n,
    requests: state === 'final' ? 1 : 0,
  };
}
