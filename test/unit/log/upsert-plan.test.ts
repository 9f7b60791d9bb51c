import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readEntry, type Row } from '../../../log/row.ts';
import { UpsertPlan, type Known, type TotalChange } from '../../../log/upsert-plan.ts';
import type { RecordState } from '../../../policy/core/usage-record.ts';

function rowOf(id: string, state: RecordState, amountNano: bigint, counters: readonly string[]): Row {
  return { id, state, amountNano, meta: null, counters, keepUntil: 1, values: {} };
}

/** A table and totals in memory, written to as the database is. */
class Tables {
  readonly rows = new Map<string, Known>();
  readonly totals = new Map<string, Omit<TotalChange, 'counter'>>();

  write(rows: readonly Row[]): void {
    const batch = new UpsertPlan(rows, this.rows);
    for (const row of batch.rows) this.rows.set(row.id, { state: row.state, amountNano: row.amountNano });
    for (const { counter, ...by } of batch.totals) {
      const { spentNano = 0n, presumedNano = 0n, requests = 0 } = this.totals.get(counter) ?? {};
      this.totals.set(counter, {
        keepUntil: by.keepUntil,
        spentNano: spentNano + by.spentNano,
        presumedNano: presumedNano + by.presumedNano,
        requests: requests + by.requests,
      });
    }
  }
}

const RANKS: Readonly<Record<RecordState, number>> = { presumed: 0, booked: 1, released: 2, final: 3 };

describe('a batch', () => {
  test('however records are cut into batches and repeated, the best of each call counts once', () => {
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
          expect(tables.rows.get(id)).toEqual({ state, amountNano });
        for (const [counter, total] of tables.totals) {
          const counted = [...best.values()].filter(({ counters }) => counters.includes(counter));
          const sum = (of: readonly Row[]) => of.reduce((nano, { amountNano }) => nano + amountNano, 0n);
          expect(total).toEqual({
            keepUntil: 1,
            spentNano: sum(counted.filter(({ state }) => state !== 'presumed')),
            presumedNano: sum(counted.filter(({ state }) => state === 'presumed')),
            requests: counted.filter(({ state }) => state === 'final').length,
          });
        }
      }),
    );
  });
});

describe('a record', () => {
  const read = (record: object) =>
    readEntry({
      entry: '1795600000000-0',
      record: Object.assign({ id: 'a', cost_nano: '5' }, record),
      counters: ['c'],
      keepUntil: 1,
    });

  test.each<[what: string, record: object, problem: RegExp]>([
    ['no id', { id: '' }, /no usable id/],
    ['an id that is no text', { id: 7 }, /no usable id/],
    ['a state that there is not', { state: 'spent' }, /no state "spent"/],
    ['no cost', { cost_nano: null }, /null is no amount/],
    ['a cost that is a number', { cost_nano: 5 }, /5 is no amount/],
    ['a negative cost', { cost_nano: '-5' }, /"-5" is no amount/],
    ['a cost that no counter holds', { cost_nano: '9223372036854775808' }, /is no amount/],
    ['a presumed call without its worst case', { state: 'presumed' }, /is no amount/],
  ])('with %s makes no row', (_what, record, problem) => {
    const { row, deadLetter } = read(record);
    expect(row).toBeNull();
    expect(deadLetter?.problem).toMatch(problem);
  });

  test.each<[column: string, field: string, value: string | number | boolean]>([
    ['input_tokens', 'input_tokens', 1.5],
    ['output_tokens', 'output_tokens', 2 ** 31],
    ['policy_version', 'policy_version', 2 ** 53],
    ['estimated', 'estimated', 'yes'],
    ['model', 'model', 7],
    ['tags', 'tags', '"no object"'],
    ['tags', 'tags', '{'],
  ])('without what %s cannot take makes the rest of a row', (column, field, value) => {
    const { row, deadLetter } = read({ [field]: value, feature: 'checkout' });
    expect(row).toMatchObject({ id: 'a', amountNano: 5n, values: { feature: 'checkout', cost_nano: '5' } });
    expect(row?.values).not.toHaveProperty(column);
    expect(deadLetter?.problem).toContain(`${field}: `);
  });

  test('with an instant that is none gets the one at which it came', () => {
    const { row, deadLetter } = read({ timestamp: 'tomorrow' });
    expect(row?.values['time']).toBe(new Date(1_795_600_000_000).toISOString());
    expect(deadLetter?.problem).toBe('timestamp: is no instant');
  });

  test('keeps what has no column of its own, and nothing that Postgres cannot', () => {
    const { row, deadLetter } = read({
      feature: 'a\0b\u{D800}c',
      service_tier: 'priority\0',
      tags: '{"a\\u0000":"\\ud800"}',
    });
    expect(deadLetter).toBeNull();
    expect(row?.values).toMatchObject({
      feature: 'a\u{FFFD}b\u{FFFD}c',
      tags: { 'a\u{FFFD}': '\u{FFFD}' },
      details: { service_tier: 'priority\u{FFFD}' },
    });
  });

  test('is cut where it is longer than an index takes', () => {
    expect(read({ customer: 'x'.repeat(5_000) }).row?.values['customer']).toBe('x'.repeat(1_000));
  });
});
