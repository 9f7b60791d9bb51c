import { expect, test } from '@jest/globals';
import { type LedgerState, LedgerUnreachable } from '../../../../ledger/ledger.ts';
import { LedgerReader } from '../../../../operator/status/ledger-reader.ts';
import type { Reading } from '../../../../policy/core/counter-reading.ts';
import { budgetOf } from '../../../support/budget.ts';

const WHOLE: Pick<LedgerState, 'lost' | 'recovering'> = { lost: null, recovering: null };

/** A reader of a ledger that answers what the test sets. */
function readerOver() {
  const ledger = { spent: 1n, isThere: true, reads: 0, condition: WHOLE, next: undefined as typeof WHOLE | undefined };
  const time = { elapsed: 0 };
  const reader = new LedgerReader(
    {
      gateways: async () => [],
      state: async () => {
        if (!ledger.isThere) throw new LedgerUnreachable('gone');
        const { condition } = ledger;
        ledger.condition = ledger.next ?? condition;
        return { now: Date.parse('2026-11-26T12:00:00Z'), ...condition } as LedgerState;
      },
      read: async (queries) => {
        ledger.reads += queries.length;
        return queries.map(() => ({ total: { spentNano: ledger.spent }, values: [] }) as unknown as Reading);
      },
    },
    () => time.elapsed,
  );
  return { reader, ledger, time, spent: () => spentOf(reader) };
}

function spentOf(reader: LedgerReader): bigint | undefined {
  const figures = reader.figures('payments/checkout-daily', 'Healthy');
  return figures?.kind === 'Read' ? figures.reading.total.spentNano : undefined;
}

const BUDGETS = [budgetOf()];

test('figures are kept only once the ledger has reported its state after the read', async () => {
  const { reader, ledger, spent } = readerOver();
  await reader.refresh(BUDGETS);
  ledger.spent = 0n;
  ledger.isThere = false;
  await expect(reader.read(BUDGETS)).rejects.toThrow(LedgerUnreachable);
  expect(spent()).toBe(1n);
  ledger.isThere = true;
  await reader.read(BUDGETS);
  expect(spent()).toBe(0n);
});

test('a refresh reads budgets without figures: new ones, and all after a discard', async () => {
  const { reader, ledger, spent } = readerOver();
  await reader.refresh(BUDGETS);
  await reader.refresh(BUDGETS);
  expect(ledger.reads).toBe(1);
  reader.discard();
  expect(spent()).toBeUndefined();
  await reader.refresh(BUDGETS);
  expect(ledger.reads).toBe(2);
  expect(spent()).toBe(1n);
});

test('nothing is read while the ledger is lost or recovers, and everything at the first refresh afterwards', async () => {
  const { reader, ledger, spent } = readerOver();
  await reader.refresh(BUDGETS);
  ledger.reads = 0;
  for (const condition of [
    { ...WHOLE, recovering: { since: 0, deep: null, missing: [] } },
    { ...WHOLE, lost: 'otherEpoch' as const },
  ]) {
    ledger.condition = condition;
    for (let i = 0; i < 3; i += 1) {
      await reader.refresh(BUDGETS);
      reader.discard();
      await reader.read(BUDGETS);
    }
  }
  expect(ledger.reads).toBe(0);
  ledger.condition = WHOLE;
  ledger.spent = 7n;
  await reader.refresh(BUDGETS);
  expect(spent()).toBe(7n);
});

test('a ledger whose recovery ends during a refresh is read at the next one', async () => {
  const { reader, ledger, spent } = readerOver();
  ledger.condition = { ...WHOLE, recovering: { since: 0, deep: null, missing: [] } };
  ledger.next = WHOLE;
  await reader.refresh(BUDGETS);
  expect(spent()).toBeUndefined();
  await reader.refresh(BUDGETS);
  expect(spent()).toBe(1n);
});

test('after a reset no figures of an earlier leadership are left', async () => {
  const { reader, ledger, spent } = readerOver();
  await reader.refresh(BUDGETS);
  ledger.spent = 7n;
  reader.reset();
  expect(spent()).toBeUndefined();
  await reader.refresh(BUDGETS);
  expect(spent()).toBe(7n);
});

test('a ledger counts as silent after three seconds without an answer, by the monotonic clock', async () => {
  const { reader, ledger, time, spent } = readerOver();
  await reader.refresh(BUDGETS);
  ledger.isThere = false;
  time.elapsed = 3_000;
  await expect(reader.refresh(BUDGETS)).rejects.toThrow(LedgerUnreachable);
  expect(spent()).toBe(1n);
  time.elapsed = 3_001;
  expect(reader.figures('payments/checkout-daily', 'Healthy')).toMatchObject({ reason: 'LedgerUnreachable' });
});
