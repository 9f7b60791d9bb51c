import { describe, expect, test } from '@jest/globals';
import { LEASE_MS, RELEASE_AFTER_MS } from '../../../ledger/durations.ts';
import { MemoryLedger } from '../../../ledger/memory/memory-ledger.ts';
import { call, check, cost, HOUR, join, pool } from './ledger-fixtures.ts';

describe('presumed money that is released by itself', () => {
  const NOTHING = { calls: 0, releasedNano: 0n };

  /** A ledger with two calls of 30 each; of both all is presumed, and of `b` that is released by itself. */
  async function presuming() {
    const clock = { now: 1_000_000 };
    const ledger = new MemoryLedger({ clock: () => clock.now }).connect(() => 'one');
    await ledger.operator.establish('one');
    await join(ledger, 'first');
    const span = { start: 0, end: 10 * HOUR };
    for (const id of ['a', 'b']) await ledger.gateway.reserve(call(id, 30n, [check(100n, 30n, span)]));
    await ledger.gateway.settle(cost('a', 0n, 30n));
    await ledger.gateway.settle({ ...cost('b', 0n, 30n), releases: true });
    return {
      ledger,
      clock,
      total: async () => (await ledger.operator.read([pool]))[0]!.total,
      last: async () => (await ledger.operator.readUsage(99)).at(-1)?.record,
    };
  }

  test('keeps its place for a quarter of an hour and is released once', async () => {
    const { ledger, clock, total, last } = await presuming();
    clock.now += RELEASE_AFTER_MS - 1;
    expect(await ledger.operator.releaseDue()).toEqual(NOTHING);
    expect(await total()).toMatchObject({ spentNano: 0n, certainNano: 60n });
    clock.now += 1;
    expect(await ledger.operator.releaseDue()).toEqual({ calls: 1, releasedNano: 30n });
    expect(await ledger.operator.releaseDue()).toEqual(NOTHING);
    expect(await total()).toMatchObject({ spentNano: 0n, certainNano: 30n, committedNano: 30n });
    expect(await last()).toMatchObject({ id: 'b/rest', state: 'released' });
    expect(await ledger.operator.state()).toMatchObject({ presumedCount: 1 });
    // Neither the gateway, by a repeated settle, nor a person gets it back a second time.
    expect(await ledger.gateway.settle({ ...cost('b', 0n, 30n), releases: true })).toBe('unknown');
    expect(await ledger.operator.resolvePresumed(['b'], 'Release')).toBe(0);
    expect(await total()).toMatchObject({ committedNano: 30n });
  });

  test.each(['Book', 'Release'] as const)('is not released again after a person said %s', async (how) => {
    const { ledger, clock, total } = await presuming();
    expect(await ledger.operator.resolvePresumed(['b'], how)).toBe(1);
    clock.now += RELEASE_AFTER_MS;
    expect(await ledger.operator.releaseDue()).toEqual(NOTHING);
    const spentNano = how === 'Book' ? 30n : 0n;
    expect(await total()).toMatchObject({ spentNano, certainNano: 30n + spentNano });
  });

  test('waits until a recovery has ended', async () => {
    const { ledger, clock } = await presuming();
    clock.now += RELEASE_AFTER_MS;
    await ledger.operator.beginRebuild('one');
    expect(await ledger.operator.releaseDue()).toEqual(NOTHING);
    const { recovering } = await ledger.operator.state();
    await ledger.operator.resume(recovering!.since);
    expect(await ledger.operator.releaseDue()).toMatchObject({ calls: 1 });
  });

  test('is never that of a gateway that fell silent', async () => {
    const { ledger, clock } = await presuming();
    const other = ledger.gateway;
    await other.reserve(call('c', 30n, []));
    for (let beat = 0; beat < 4; beat += 1) {
      clock.now += LEASE_MS / 3 + 1;
      await ledger.operator.sweep();
    }
    clock.now += RELEASE_AFTER_MS;
    expect(await ledger.operator.releaseDue()).toMatchObject({ calls: 1 });
    expect((await ledger.operator.presumedCalls(9)).map(({ id }) => id)).toEqual(['a', 'c']);
  });
});
