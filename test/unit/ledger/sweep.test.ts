import { describe, expect, test } from '@jest/globals';
import { LEASE_MS } from '../../../ledger/durations.ts';
import { MemoryLedger } from '../../../ledger/memory/memory-ledger.ts';
import type { Ledger } from '../../../ledger/operator-ledger.ts';
import { call, check, cost, HOUR, join, pool } from './ledger-fixtures.ts';

describe('a gateway that falls silent', () => {
  test('leaves presumed money, which a late settle replaces and a repeated one does not', async () => {
    const clock = { now: 1_000_000 };
    const memory = new MemoryLedger({ clock: () => clock.now });
    const gateway = (): Ledger => memory.connect(() => 'one');
    const [first, second] = [gateway(), gateway()];
    await first.operator.establish('one');
    await join(first, 'first');
    await join(second, 'second');
    const span = { start: 0, end: 10 * HOUR };
    for (const id of ['a', 'b', 'c']) {
      expect(await first.gateway.reserve(call(id, 30n, [check(100n, 30n, span)]))).toMatchObject({ kind: 'admitted' });
    }
    for (let beat = 0; beat < 4; beat += 1) {
      clock.now += LEASE_MS / 3;
      await second.gateway.beat({ pod: 'second', shards: {} });
      expect(await second.operator.sweep()).toBe(beat < 3 ? 0 : 3);
    }
    expect((await second.operator.gateways()).map(({ pod }) => pod)).toEqual(['second']);
    expect(await second.gateway.reserve(call('d', 30n, [check(100n, 30n, span)]))).toMatchObject({
      failures: [{ verdict: 'tooLarge', spentNano: 0n, certainNano: 90n }],
    });
    const [swept] = await second.operator.read([pool]);
    expect(swept!.total).toMatchObject({ certainNano: 90n, committedNano: 90n });
    expect(await first.gateway.beat({ pod: 'first', shards: {} })).toEqual({ kind: 'swept' });
    expect(await first.gateway.reserve(call('e', 1n, [check(100n, 1n, span)]))).toEqual({ kind: 'unregistered' });
    await join(first, 'first again');
    expect(await first.gateway.settle(cost('a', 10n, 5n))).toBe('corrected');
    expect(await first.gateway.settle(cost('a', 10n, 5n))).toBe('ended');
    expect(await first.gateway.release('b')).toBe('corrected');
    clock.now += HOUR;
    expect(await first.gateway.settle(cost('a', 10n, 5n))).toBe('ended');
    const [reading] = await first.operator.read([pool]);
    expect(reading!.total).toMatchObject({ spentNano: 10n, certainNano: 45n, committedNano: 45n, requests: 1 });
    expect(await first.operator.state()).toMatchObject({ presumedCount: 2 });
    const stream = (await first.operator.readUsage(9)).map(
      ({ record: { id, state = 'final' } }) => `${String(id)} ${String(state)}`,
    );
    const presumed = ['a', 'b', 'c'].map((id) => `${id} presumed`);
    expect(stream).toEqual([...presumed, 'a final', 'a/rest presumed', 'b released']);
  });

  test('does not reserve a second time what it asked for before it was swept', async () => {
    const clock = { now: 1_000_000 };
    const memory = new MemoryLedger({ clock: () => clock.now });
    const [silent, other] = ['silent', 'other'].map(() => memory.connect(() => 'one')) as [Ledger, Ledger];
    await silent.operator.establish('one');
    await join(silent, 'silent');
    await join(other, 'other');
    const span = { start: 0, end: 10 * HOUR };
    // The answer to this may have been lost, so it is asked again and again.
    const ask = () => silent.gateway.reserve(call('a', 30n, [check(100n, 30n, span)]));
    await ask();
    for (let beat = 0; beat < 4; beat += 1) {
      clock.now += LEASE_MS / 3;
      await other.gateway.beat({ pod: 'other', shards: {} });
      await other.operator.sweep();
    }
    expect(await ask()).toEqual({ kind: 'unregistered' });
    await join(silent, 'silent again');
    expect(await ask()).toEqual({ kind: 'ended' });
    expect(await silent.gateway.release('a')).toBe('corrected');
    expect((await silent.operator.read([pool]))[0]!.total).toMatchObject({ certainNano: 0n, committedNano: 0n });
    expect(await silent.operator.state()).toMatchObject({ presumedCount: 0 });
  });

  test('no gateway is swept for silence that was an outage of the ledger', async () => {
    const clock = { now: 1_000_000 };
    const memory = new MemoryLedger({ clock: () => clock.now });
    const [first, second] = ['first', 'second'].map(() => memory.connect(() => 'one')) as [Ledger, Ledger];
    await first.operator.establish('one');
    await join(first, 'first');
    await join(second, 'second');
    await second.gateway.reserve(call('a', 1n, []));
    clock.now += 10 * LEASE_MS;
    await first.gateway.beat({ pod: 'first', shards: {} });
    expect(await first.operator.sweep()).toBe(0);
    clock.now += LEASE_MS - 1;
    await first.gateway.beat({ pod: 'first', shards: {} });
    expect(await first.operator.sweep()).toBe(0);
    clock.now += 1;
    expect(await first.operator.sweep()).toBe(1);
  });
});
