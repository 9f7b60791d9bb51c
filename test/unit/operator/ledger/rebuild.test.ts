import { expect, test } from '@jest/globals';
import type { LedgerState } from '../../../../ledger/ledger.ts';
import { Rebuild } from '../../../../operator/ledger/rebuild.ts';

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
