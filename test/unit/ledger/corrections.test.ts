import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { MemoryLedger } from '../../../ledger/memory/memory-ledger.ts';
import type { Ledger } from '../../../ledger/operator-ledger.ts';
import { nano } from '../../../policy/core/money.ts';
import { startRedis } from '../../support/redis.ts';
import { call, check, COUNTER, cost, established, join, pool } from './ledger-fixtures.ts';

let server: Awaited<ReturnType<typeof startRedis>>;
const opened: { close(): void }[] = [];

beforeAll(async () => {
  server = await startRedis({ configuration: ['appendonly no'] });
});

afterAll(async () => {
  for (const ledger of opened) ledger.close();
  await server.stop();
});

const LEDGERS: Readonly<Record<string, () => Promise<Ledger>>> = {
  Redis: async () => {
    const ledger = await established(server);
    opened.push(ledger);
    return ledger;
  },
  memory: async () => {
    const ledger = new MemoryLedger({ clock: Date.now }).connect(() => 'one');
    await ledger.operator.establish('one');
    await join(ledger, 'gateway-1');
    return ledger;
  },
};

const value = '["acme"]';
const correct = (correctedNano: bigint, counter = COUNTER) => [{ counter, correctedNano: nano(correctedNano) }];

describe.each(Object.entries(LEDGERS))('in %s, what people have corrected', (_, open) => {
  test('is no more than was settled, and is taken out once', async () => {
    const { gateway, operator } = await open();
    await gateway.reserve(call('a', 30n, [check(100n, 30n)]));
    await gateway.settle(cost('a', 30n));
    const total = async () => (await operator.read([pool]))[0]!.total;
    expect(await operator.correctCounters(correct(50n))).toBe(1);
    expect(await operator.correctCounters(correct(50n))).toBe(0);
    expect(await total()).toMatchObject({ spentNano: 0n, correctedNano: 30n, committedNano: 0n });
    await operator.correctCounters(correct(-20n));
    expect(await total()).toMatchObject({ spentNano: 50n, correctedNano: -20n, committedNano: 50n });
  });

  test('stays with the counter of a value, so that it takes nothing out of what the value spends later', async () => {
    const { gateway, operator } = await open();
    const byValue = check(100n, 30n, { value, total: null });
    await gateway.reserve(call('a', 30n, [byValue]));
    await gateway.settle(cost('a', 30n));
    const corrections = correct(30n, `${COUNTER}#${value}`);
    await operator.correctCounters(corrections);
    await gateway.reserve(call('b', 30n, [byValue]));
    await gateway.release('b');
    await gateway.reserve(call('c', 30n, [byValue]));
    await gateway.settle(cost('c', 25n));
    await operator.correctCounters(corrections);
    const [reading] = await operator.read([{ ...pool, per: true, also: [value] }]);
    expect(reading!.values[0]).toMatchObject({ spentNano: 25n, correctedNano: 30n });
  });

  test('comes back with the counter of a value that nothing is spent in', async () => {
    const { operator } = await open();
    const counter = `${COUNTER}#${value}`;
    const amounts = { spentNano: nano(30n), correctedNano: nano(30n), presumedNano: nano(0n), requests: 1 };
    await operator.raiseCounters([{ counter, keepUntil: Date.now() + 1e7, ...amounts }]);
    const [reading] = await operator.read([{ ...pool, per: true, also: [value] }]);
    expect(reading!.values[0]).toMatchObject({ spentNano: 0n, correctedNano: 30n, requests: 1 });
  });

  test('shrinks where a call turns out to have cost less than was corrected', async () => {
    const { gateway, operator } = await open();
    const reservation = call('a', 30n, [check(100n, 30n)]);
    await gateway.settleUnchecked({ reservation, settlement: null });
    await operator.resolvePresumed(['a'], 'Book');
    await operator.correctCounters(correct(30n));
    expect(await gateway.settle(cost('a', 20n))).toBe('corrected');
    const { total } = (await operator.read([pool]))[0]!;
    expect(total).toMatchObject({ spentNano: 0n, correctedNano: 20n, certainNano: 0n, committedNano: 0n });
  });

  test('is the last word once the call is ended', async () => {
    const { gateway, operator } = await open();
    const reservation = call('a', 30n, [check(100n, 30n)]);
    await gateway.settleUnchecked({ reservation, settlement: null });
    await operator.resolvePresumed(['a'], 'Book');
    expect(await operator.endBooked(['a', 'b'])).toBe(1);
    expect(await operator.endBooked(['a'])).toBe(0);
    await operator.correctCounters(correct(10n));
    expect(await gateway.settle(cost('a', 25n))).toBe('ended');
    expect(await gateway.settleUnchecked({ reservation, settlement: cost('a', 25n) })).toBe('ended');
    expect((await operator.read([pool]))[0]!.total).toMatchObject({ spentNano: 20n, committedNano: 20n });
  });

  test('makes room in a counter that was exhausted, and more spend does not', async () => {
    const { gateway, operator } = await open();
    await gateway.reserve(call('a', 30n, [check(30n, 30n)]));
    await gateway.settle(cost('a', 30n));
    await gateway.reserve(call('b', 30n, [check(30n, 30n)]));
    const exhaustedAt = async () => (await operator.read([pool]))[0]!.total.exhaustedAtNano;
    await operator.correctCounters(correct(-5n));
    expect(await exhaustedAt()).toBe(30n);
    await operator.correctCounters(correct(0n));
    expect(await exhaustedAt()).toBeNull();
  });

  test('leaves a counter alone that is not kept', async () => {
    const { operator } = await open();
    expect(await operator.correctCounters(correct(-10n))).toBe(0);
    expect((await operator.read([pool]))[0]!.total).toMatchObject({ spentNano: 0n });
  });
});
