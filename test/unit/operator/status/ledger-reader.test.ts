import { expect, test } from '@jest/globals';
import { type LedgerState, LedgerUnreachable } from '../../../../ledger/ledger.ts';
import { LedgerReader } from '../../../../operator/status/ledger-reader.ts';
import type { Reading } from '../../../../policy/core/counter-reading.ts';
import { budgetOf } from '../../../support/budget.ts';

const SOUND: Pick<LedgerState, 'lost' | 'recovering'> = { lost: null, recovering: null };

/** A view of a ledger that says what the test puts there. */
function viewOver() {
  const ledger = { spent: 1n, isThere: true, reads: 0, standing: SOUND, next: undefined as typeof SOUND | undefined };
  const time = { elapsed: 0 };
  const view = new LedgerReader(
    {
      gateways: async () => [],
      state: async () => {
        if (!ledger.isThere) throw new LedgerUnreachable('gone');
        const { standing } = ledger;
        ledger.standing = ledger.next ?? standing;
        return { now: Date.parse('2026-11-26T12:00:00Z'), ...standing } as LedgerState;
      },
      read: async (queries) => {
        ledger.reads += queries.length;
        return queries.map(() => ({ total: { spentNano: ledger.spent }, values: [] }) as unknown as Reading);
      },
    },
    () => time.elapsed,
  );
  return { view, ledger, time, spent: () => spentOf(view) };
}

function spentOf(view: LedgerReader): bigint | undefined {
  const observed = view.observed('payments/checkout-daily', 'Sound');
  return observed !== undefined && 'reading' in observed ? observed.reading.total.spentNano : undefined;
}

const BUDGETS = [budgetOf()];

test('what was read is believed once the ledger has said in which state it is, and not before', async () => {
  const { view, ledger, spent } = viewOver();
  await view.look(BUDGETS);
  ledger.spent = 0n;
  ledger.isThere = false;
  await expect(view.read(BUDGETS)).rejects.toThrow(LedgerUnreachable);
  expect(spent()).toBe(1n);
  ledger.isThere = true;
  await view.read(BUDGETS);
  expect(spent()).toBe(0n);
});

test('a look reads what was not read yet, or is not believed any more', async () => {
  const { view, ledger, spent } = viewOver();
  await view.look(BUDGETS);
  await view.look(BUDGETS);
  expect(ledger.reads).toBe(1);
  view.distrust();
  expect(spent()).toBeUndefined();
  await view.look(BUDGETS);
  expect(ledger.reads).toBe(2);
  expect(spent()).toBe(1n);
});

test('while the ledger is lost or recovers nothing is read of it, and all at the first look that finds it whole', async () => {
  const { view, ledger, spent } = viewOver();
  await view.look(BUDGETS);
  ledger.reads = 0;
  for (const standing of [
    { ...SOUND, recovering: { since: 0, deep: null, missing: [] } },
    { ...SOUND, lost: 'otherEpoch' as const },
  ]) {
    ledger.standing = standing;
    for (let i = 0; i < 3; i += 1) {
      await view.look(BUDGETS);
      view.distrust();
      await view.read(BUDGETS);
    }
  }
  expect(ledger.reads).toBe(0);
  ledger.standing = SOUND;
  ledger.spent = 7n;
  await view.look(BUDGETS);
  expect(spent()).toBe(7n);
});

test('a ledger that became whole while it was looked at is read at the next look', async () => {
  const { view, ledger, spent } = viewOver();
  ledger.standing = { ...SOUND, recovering: { since: 0, deep: null, missing: [] } };
  ledger.next = SOUND;
  await view.look(BUDGETS);
  expect(spent()).toBeUndefined();
  await view.look(BUDGETS);
  expect(spent()).toBe(1n);
});

test('a replica that leads again shows nothing that it read when it last led', async () => {
  const { view, ledger, spent } = viewOver();
  await view.look(BUDGETS);
  ledger.spent = 7n;
  view.begin();
  expect(spent()).toBeUndefined();
  await view.look(BUDGETS);
  expect(spent()).toBe(7n);
});

test('a ledger is silent once it has not answered for three seconds, by the clock that never jumps', async () => {
  const { view, ledger, time, spent } = viewOver();
  await view.look(BUDGETS);
  ledger.isThere = false;
  time.elapsed = 3_000;
  await expect(view.look(BUDGETS)).rejects.toThrow(LedgerUnreachable);
  expect(spent()).toBe(1n);
  time.elapsed = 3_001;
  expect(view.observed('payments/checkout-daily', 'Sound')).toMatchObject({ reason: 'LedgerUnreachable' });
});
