import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Row } from '../../../log/call-row.ts';
import { type KnownCall, planUpsert, type TotalChange } from '../../../log/write-usage.ts';
import { nano as toNano } from '../../../policy/core/money.ts';
import type { RecordState } from '../../../policy/core/usage-record.ts';

function rowOf(id: string, state: RecordState, amountNano: bigint, counters: readonly string[]): Row {
  return { id, state, amountNano: toNano(amountNano), meta: null, counters, keepUntil: 1, values: {} };
}

/** A table and totals in memory, written to as the database is. */
class Tables {
  readonly rows = new Map<string, KnownCall>();
  readonly totals = new Map<string, Omit<TotalChange, 'counter'>>();

  write(rows: readonly Row[]): void {
    const plan = planUpsert(rows, this.rows);
    for (const row of plan.rows)
      this.rows.set(row.id, {
        state: row.state,
        amountNano: row.amountNano,
        correctedNano: toNano(0n),
        values: row.values,
      });
    for (const { counter, ...by } of plan.totals) {
      const { spentNano = 0n, correctedNano = 0n, presumedNano = 0n, requests = 0 } = this.totals.get(counter) ?? {};
      this.totals.set(counter, {
        keepUntil: by.keepUntil,
        spentNano: toNano(spentNano + by.spentNano),
        correctedNano: toNano(correctedNano + by.correctedNano),
        presumedNano: toNano(presumedNano + by.presumedNano),
        requests: requests + by.requests,
      });
    }
  }
}

const RANKS: Readonly<Record<RecordState, number>> = { presumed: 0, booked: 1, released: 2, final: 3 };

describe('planUpsert', () => {
  test('counts the best record of each call once, however records are cut into chunks and repeated', () => {
    const states = fc.constantFrom<RecordState>('presumed', 'booked', 'released', 'final');
    const record = fc.tuple(fc.integer({ min: 0, max: 4 }), states, fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }));
    const cuts = fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { maxLength: 10 });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 30 }), cuts, (records, repeats) => {
        const rows = records.map(([call, state, amount]) =>
          rowOf(`call-${call}`, state, state === 'released' ? 0n : amount, ['all', `some-${call % 2}`]),
        );
        const tables = new Tables();
        // What is delivered is the stream in order; what is repeated was delivered before.
        let delivered = 0;
        for (const [from, length] of [...repeats, [0, rows.length] as const]) {
          const start = Math.min(from, delivered);
          const end = Math.min(rows.length, Math.max(start + length, delivered));
          tables.write(rows.slice(start, end));
          delivered = Math.max(delivered, end);
        }
        tables.write(rows);

        const best = new Map<string, Row>();
        for (const row of rows) {
          const before = best.get(row.id);
          if (before === undefined || RANKS[row.state] > RANKS[before.state]) best.set(row.id, row);
        }
        expect(tables.rows.size).toBe(best.size);
        for (const { id, state, amountNano } of best.values())
          expect(tables.rows.get(id)).toEqual({ state, amountNano, correctedNano: 0n, values: {} });
        for (const [counter, total] of tables.totals) {
          const counted = [...best.values()].filter(({ counters }) => counters.includes(counter));
          const sum = (of: readonly Row[]) => of.reduce((nano, { amountNano }) => nano + amountNano, 0n);
          expect(total).toEqual({
            keepUntil: 1,
            spentNano: sum(counted.filter(({ state }) => state !== 'presumed')),
            correctedNano: 0n,
            presumedNano: sum(counted.filter(({ state }) => state === 'presumed')),
            requests: counted.filter(({ state }) => state === 'final').length,
          });
        }
      }),
    );
  });
});
