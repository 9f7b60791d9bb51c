import { describe, expect, test } from '@jest/globals';
import type { ClaudeBudgetStatus } from '../../../../crds/types.gen.ts';
import type { LedgerState } from '../../../../ledger/ledger.ts';
import { MemoryLedger } from '../../../../ledger/memory/memory-ledger.ts';
import { LEDGER_CHECKPOINT } from '../../../../operator/cluster/kube-kinds.ts';
import { Presumed } from '../../../../operator/ledger/presumed.ts';
import { Rebuild } from '../../../../operator/ledger/rebuild.ts';
import { SequenceHistory } from '../../../../operator/ledger/sequence-history.ts';
import { statusFloors } from '../../../../operator/status/status-floors.ts';
import { REST } from '../../../../policy/core/counter-reading.ts';
import { boundOf, effectiveLimitAt } from '../../../../policy/core/effective-limit.ts';
import { budgetOf } from '../../../support/budget.ts';

const NOW = Date.parse('2026-11-25T17:00:00Z');

describe('what statuses know of counters', () => {
  const customers = budgetOf({ per: ['customer', 'user'] });
  const status = {
    period: { start: '2026-11-25T05:00:00Z', end: '2026-11-26T05:00:00Z' },
    spentUsd: '20.412310001',
    presumedUsd: '0.30',
    requests: 8123,
    top: [
      { values: ['acme', 'ann "a" é'], spentUsd: '12.10' },
      { values: [REST], spentUsd: '0.01' },
    ],
  } as ClaudeBudgetStatus;

  test('is a floor for each of them, to the nano-dollar and by the name that the ledger gives it', () => {
    const { counter, end } = effectiveLimitAt(customers, NOW);
    const keepUntil = end + 7 * 24 * 3_600_000;
    expect(statusFloors(customers, status, NOW)).toEqual([
      { counter, keepUntil, spentNano: 20_412_310_001n, presumedNano: 300_000_000n, requests: 8123 },
      {
        counter: `${counter}#["acme","ann \\"a\\" é"]`,
        keepUntil,
        spentNano: 12_100_000_000n,
        presumedNano: 0n,
        requests: 0,
      },
      { counter: `${counter}#…`, keepUntil, spentNano: 10_000_000n, presumedNano: 0n, requests: 0 },
    ]);
  });

  test('is nothing where the status is of another period, or is not there', () => {
    expect(statusFloors(customers, status, NOW + 24 * 3_600_000)).toEqual([]);
    expect(statusFloors(customers, undefined, NOW)).toEqual([]);
    expect(statusFloors(customers, { conditions: [] }, NOW)).toEqual([]);
  });
});

test('a rebuild does nothing before the log has taken all that waits', async () => {
  const done: string[] = [];
  const note = (what: string) => async () => void done.push(what);
  const answers = [false, true];
  const rebuild = new Rebuild({
    ledger: { raiseCounters: note('raise'), restoreBatches: note('batches'), resume: async () => true },
    log: { drain: async () => answers.shift()!, totals: async () => [], batches: async () => [] },
    shown: () => [],
    living: () => [],
    raiseFences: note('fences'),
  });
  const state = { now: NOW, recovering: { since: 0, deep: 'rebuild', missing: [] } } as unknown as LedgerState;
  expect([await rebuild.advance(state), done]).toEqual([false, []]);
  expect([await rebuild.advance(state), done]).toEqual([true, ['raise', 'batches', 'fences']]);
});

describe('hindsight', () => {
  test('knows the highest sequence, and the highest of long ago', () => {
    const hindsight = new SequenceHistory(15_000);
    expect([hindsight.highest, hindsight.longBefore(NOW)]).toEqual([0, 0]);
    for (let second = 0; second <= 60; second += 1) hindsight.note({ at: NOW + second * 1000, sequence: second * 10 });
    expect(hindsight.highest).toBe(600);
    expect(hindsight.longBefore(NOW + 60_000)).toBe(450);
    expect(hindsight.longBefore(NOW + 60_999)).toBe(450);
    expect(hindsight.longBefore(NOW + 75_000)).toBe(600);
  });

  test('keeps what it saw last before a silence', () => {
    const hindsight = new SequenceHistory(15_000);
    hindsight.note({ at: NOW, sequence: 7 });
    hindsight.note({ at: NOW + 600_000, sequence: 9 });
    expect(hindsight.longBefore(NOW + 600_001)).toBe(7);
    hindsight.forget();
    expect([hindsight.highest, hindsight.longBefore(NOW + 900_000)]).toEqual([0, 0]);
  });
});

describe('presumedHold', () => {
  const daily = budgetOf();
  const { counter, start, end, from, until } = effectiveLimitAt(daily, NOW);
  const query = { counter, per: false, top: 0, also: [] };

  /** A ledger with one call that cost $1 so far, and of which another dollar has been presumed since `NOW`. */
  async function presuming() {
    let now = NOW;
    const ledger = new MemoryLedger({ clock: () => now, epoch: () => 'first' });
    await ledger.establish('first');
    ledger.begin('gateway-1');
    await ledger.beat({ pod: 'gateway-1', shards: {} });
    const bound = boundOf(daily, daily.limitNano, 2_000_000_000n);
    const check = {
      budget: 'payments/checkout-daily',
      counter,
      value: null,
      start,
      end,
      mode: 'Enforce',
      bound,
    } as const;
    const amounts = { worstNano: 2_000_000_000n, gapNano: 0n };
    const reservation = { id: 'a', workspace: 'payments/app', version: 1, ...amounts, from, until };
    await ledger.reserve({ ...reservation, checks: [{ ...check, total: null }] });
    await ledger.settle({ id: 'a', costNano: 10n ** 9n, presumedNano: 10n ** 9n, record: { id: 'a' } });
    return {
      ledger,
      spent: async () => (await ledger.read([query]))[0]!.total.spentNano,
      /** One turn of the operator so many milliseconds later. */
      after: async (ms: number, presumedHold: 'PeriodEnd' | number) => {
        now = NOW + ms;
        const told: unknown[] = [];
        const presumed = new Presumed({
          client: { merge: () => Promise.reject(new Error('nobody has asked for anything')) },
          ledger,
          settings: { presumedHold },
          memory: () => ({ metadata: { name: LEDGER_CHECKPOINT } }),
          onResolved: (how, calls) => told.push(how, calls),
          onMistake: (written) => told.push(written),
        });
        await presumed.obey();
        await presumed.expire(now);
        return told;
      },
    };
  }

  test('books what was held for so long, and not before', async () => {
    const { spent, after } = await presuming();
    expect(await after(3_599_999, 3_600_000)).toEqual([]);
    expect(await spent()).toBe(10n ** 9n);
    expect(await after(3_600_000, 3_600_000)).toEqual(['Book', 1]);
    expect(await spent()).toBe(2n * 10n ** 9n);
    expect(await after(7_200_000, 3_600_000)).toEqual([]);
  });

  test('PeriodEnd leaves it to the ledger', async () => {
    const { spent, after } = await presuming();
    expect(await after(3 * 24 * 3_600_000, 'PeriodEnd')).toEqual([]);
    expect(await spent()).toBe(10n ** 9n);
  });
});
