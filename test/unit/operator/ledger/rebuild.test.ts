import { expect, test } from '@jest/globals';
import type { LedgerState } from '../../../../ledger/ledger.ts';
import { Rebuild } from '../../../../operator/ledger/rebuild.ts';
import { nano } from '../../../../policy/core/money.ts';

const NOW = Date.parse('2026-11-25T17:00:00Z');

test('a rebuild raises no counter before the usage log has taken the whole stream', async () => {
  const done: string[] = [];
  const note = (what: string) => async () => void done.push(what);
  const answers = [false, true];
  const rebuild = new Rebuild({
    ledger: { raiseCounters: note('raise'), restoreBatches: note('batches'), resume: async () => true },
    log: { drain: async () => answers.shift()!, totals: async () => [], batches: async () => [] },
    statusMinimums: () => [],
    incarnations: () => [],
    policy: { reconcile: note('fences') },
  });
  const state = { now: NOW, recovering: { since: 0, deep: 'rebuild', missing: [] } } as unknown as LedgerState;
  expect([await rebuild.advance(state), done]).toEqual([false, []]);
  expect([await rebuild.advance(state), done]).toEqual([true, ['raise', 'batches', 'fences']]);
});

test('a rebuild raises no counter of a value that the ledger would have forgotten', async () => {
  const raised: string[] = [];
  const total = { keepUntil: NOW + 1e9, spentNano: nano(1n), presumedNano: nano(0n), requests: 1 };
  const names = [NOW, NOW - 3 * 24 * 3_600_000].map((start) => `payments/customers/Hour/UTC/${start}`);
  const totals = names.flatMap((name) => [name, `${name}#["acme"]`]).map((counter) => ({ counter, ...total }));
  const rebuild = new Rebuild({
    ledger: {
      raiseCounters: async (minimums) => void raised.push(...minimums.map(({ counter }) => counter)),
      restoreBatches: async () => {},
      resume: async () => true,
    },
    log: { drain: async () => true, totals: async () => totals, batches: async () => [] },
    statusMinimums: () => [],
    incarnations: () => [],
    policy: { reconcile: async () => {} },
  });
  const state = { now: NOW, recovering: { since: 0, deep: 'rebuild', missing: [] } } as unknown as LedgerState;
  await rebuild.advance(state);
  expect(raised).toEqual([names[0], `${names[0]}#["acme"]`, names[1]]);
});
