import { describe, expect, test } from '@jest/globals';
import type { ConfigMap } from '../../../../kube/kinds.ts';
import { MemoryLedger } from '../../../../ledger/memory/memory-ledger.ts';
import { LEDGER_CHECKPOINT } from '../../../../operator/cluster/object-names.ts';
import { PresumedResolver } from '../../../../operator/ledger/presumed-resolver.ts';
import { budgetPeriodAt } from '../../../../policy/core/budget-period.ts';
import { boundOf } from '../../../../policy/core/counter-check.ts';
import { nano } from '../../../../policy/core/money.ts';
import { budgetOf } from '../../../support/budget.ts';

const NOW = Date.parse('2026-11-25T17:00:00Z');

describe('presumedHold', () => {
  const daily = budgetOf();
  const { counter, start, end, from, until } = budgetPeriodAt(daily, NOW);
  const query = { counter, per: false, top: 0, also: [] };

  /** A ledger with one call that cost $1 so far; another dollar is presumed since `NOW`. */
  async function presuming() {
    let now = NOW;
    const ledger = new MemoryLedger({ clock: () => now }).connect(() => 'first');
    await ledger.operator.establish('first');
    ledger.gateway.begin('gateway-1');
    await ledger.gateway.beat({ pod: 'gateway-1', shards: {} });
    const bound = boundOf(daily, daily.limitNano, nano(2_000_000_000n));
    const check = {
      budget: 'payments/checkout-daily',
      counter,
      value: null,
      start,
      end,
      mode: 'Enforce',
      bound,
    } as const;
    const amounts = { worstNano: nano(2_000_000_000n), gapNano: nano(0n) };
    const reservation = { id: 'a', workspace: 'payments/app', version: 1, ...amounts, from, until };
    await ledger.gateway.reserve({ ...reservation, checks: [{ ...check, total: null }] });
    await ledger.gateway.settle({
      id: 'a',
      costNano: nano(10n ** 9n),
      presumedNano: nano(10n ** 9n),
      record: { id: 'a' },
    });
    return {
      ledger,
      spent: async () => (await ledger.operator.read([query]))[0]!.total.spentNano,
      /** Runs the resolver once, `ms` after `NOW`; returns the events. */
      after: async (ms: number, presumedHold: 'PeriodEnd' | number) => {
        now = NOW + ms;
        const told: unknown[] = [];
        const presumed = new PresumedResolver({
          client: { merge: () => Promise.reject(new Error('there is no annotation to remove')) },
          ledger: ledger.operator,
          settings: { presumedHold },
          batches: { resolve: () => Promise.reject(new Error('no batch is asked for')) },
          checkpoints: { object: { metadata: { name: LEDGER_CHECKPOINT } } },
          events: {
            presumedResolved: (how, calls) => told.push(how, calls),
            presumedMistaken: (annotation) => told.push(annotation),
            presumedUnknown: (ids) => told.push(ids),
            batchesFollowed: (batches) => told.push(batches),
          },
        });
        await presumed.executeAnnotation();
        await presumed.bookExpired(now);
        return told;
      },
    };
  }

  test('books a presumed call once it was held that long, and not before', async () => {
    const { spent, after } = await presuming();
    expect(await after(3_599_999, 3_600_000)).toEqual([]);
    expect(await spent()).toBe(10n ** 9n);
    expect(await after(3_600_000, 3_600_000)).toEqual(['Book', 1]);
    expect(await spent()).toBe(2n * 10n ** 9n);
    expect(await after(7_200_000, 3_600_000)).toEqual([]);
  });

  test('PeriodEnd leaves presumed calls to the ledger', async () => {
    const { spent, after } = await presuming();
    expect(await after(3 * 24 * 3_600_000, 'PeriodEnd')).toEqual([]);
    expect(await spent()).toBe(10n ** 9n);
  });
});

describe('resolve-presumed', () => {
  /** What people are told after the annotation; one of its ids is that of a call, one of a batch that nothing follows. */
  async function told(annotation: string): Promise<unknown[]> {
    const events: unknown[] = [];
    let object: ConfigMap = {
      metadata: {
        name: LEDGER_CHECKPOINT,
        resourceVersion: '1',
        annotations: { 'tollgate.dev/resolve-presumed': annotation },
      },
    };
    const resolver = new PresumedResolver({
      client: {
        merge: async () => (object = { metadata: { name: LEDGER_CHECKPOINT, resourceVersion: '2' } }) as never,
      },
      ledger: {
        presumedCalls: async () => [],
        resolvePresumed: async (ids) => ids.filter((id) => id === 'call').length,
      },
      settings: { presumedHold: 'PeriodEnd' },
      batches: {
        resolve: async (ids) => ({
          resolved: ids.filter((id) => id === 'msgbatch_lost'),
          followed: ids.filter((id) => id === 'msgbatch_running'),
        }),
      },
      checkpoints: {
        get object() {
          return object;
        },
      },
      events: {
        presumedResolved: (how, calls) => events.push([how, calls]),
        presumedMistaken: (text) => events.push(text),
        presumedUnknown: (ids) => events.push(['unknown', ...ids]),
        batchesFollowed: (batches) => events.push(batches),
      },
    });
    for (let turn = 0; turn < 2; turn += 1) await resolver.executeAnnotation();
    expect(object.metadata.annotations).toBeUndefined();
    return events;
  }

  test('takes calls, and batches that nothing follows', async () => {
    expect(await told('book call, msgbatch_lost')).toEqual([['Book', 2]]);
    expect(await told('release')).toEqual([['Release', 0]]);
    expect(await told('forget call')).toEqual(['forget call']);
  });

  test('says which batches will be settled from their results', async () => {
    expect(await told('release msgbatch_running')).toEqual([['msgbatch_running']]);
    expect(await told('release msgbatch_running call')).toEqual([['Release', 1], ['msgbatch_running']]);
  });

  test('takes the id of what stayed presumed, as the usage log has it', async () => {
    expect(await told('release call/rest')).toEqual([['Release', 1]]);
    expect(await told('release call/rest call')).toEqual([['Release', 1]]);
  });

  test('names the ids of which nothing is presumed', async () => {
    expect(await told('release 0b0f6f7a/rest msgbatch_gone')).toEqual([['unknown', '0b0f6f7a', 'msgbatch_gone']]);
    expect(await told('book call other')).toEqual([
      ['Book', 1],
      ['unknown', 'other'],
    ]);
  });
});
