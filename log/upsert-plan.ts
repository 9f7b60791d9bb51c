import type { RecordState } from '../policy/core/usage-record.ts';
import { type Contribution, contribution, isBetter } from './record-state.ts';
import type { Row } from './row.ts';

/** What counts of a call by now: its cost, or while that is presumed what is presumed. Nano-dollars. */
export interface Known {
  readonly state: RecordState;
  readonly amountNano: bigint;
}

/** What a counter's totals change by; `keepUntil` in milliseconds. */
export interface TotalChange extends Contribution {
  readonly counter: string;
  readonly keepUntil: number;
}

/** Works out, for rows in the order of the stream, what to write over what the table holds. Pure. */
export class UpsertPlan {
  readonly #rows = new Map<string, Row>();
  readonly #totals = new Map<string, TotalChange>();

  /** `known`: what the table holds of the rows' ids. */
  constructor(rows: readonly Row[], known: ReadonlyMap<string, Known>) {
    for (const row of rows) this.#take(row, this.#rows.get(row.id) ?? known.get(row.id));
  }

  /** To insert, or to put in place of the one of the same id. */
  get rows(): readonly Row[] {
    return [...this.#rows.values()];
  }

  get totals(): readonly TotalChange[] {
    return [...this.#totals.values()];
  }

  #take(row: Row, before: Known | undefined): void {
    if (before !== undefined && !isBetter(row.state, before.state)) return;
    this.#rows.set(row.id, row);
    const from = before === undefined ? NOTHING : contribution(before.state, before.amountNano);
    const to = contribution(row.state, row.amountNano);
    for (const counter of row.counters) {
      const sum = this.#totals.get(counter) ?? { ...NOTHING, keepUntil: 0 };
      this.#totals.set(counter, {
        counter,
        keepUntil: Math.max(row.keepUntil, sum.keepUntil),
        spentNano: sum.spentNano + to.spentNano - from.spentNano,
        presumedNano: sum.presumedNano + to.presumedNano - from.presumedNano,
        requests: sum.requests + to.requests - from.requests,
      });
    }
  }
}

const NOTHING: Contribution = { spentNano: 0n, presumedNano: 0n, requests: 0 };
