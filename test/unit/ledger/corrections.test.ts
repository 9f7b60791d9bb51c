import { describe, expect, test } from '@jest/globals';
import { MemoryLedger } from '../../../ledger/memory/memory-ledger.ts';
import { nano } from '../../../policy/core/money.ts';
import { call, check, COUNTER, cost, join, pool } from './ledger-fixtures.ts';

async function established() {
  const ledger = new MemoryLedger({ clock: Date.now }).connect(() => 'one');
  await ledger.operator.establish('one');
  await join(ledger, 'gateway-1');
  return ledger;
}

const value = '["acme"]';
const correct = (correctedNano: bigint, counter = COUNTER) => [{ counter, correctedNano: nano(correctedNano) }];

describe('what people have corrected', () => {
  test('is no more than was settled, and is taken out once', async () => {
    const { gateway, operator } = await established();
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
    const { gateway, operator } = await established();
    const byValue = check(100n, 30n, { value, total: null });
    const read = async () => (await operator.read([{ ...pool, per: true, also: [value] }]))[0]!.values[0]!;
    await gateway.reserve(call('a', 30n, [byValue]));
    await gateway.settle(cost('a', 30n));
    const corrections = correct(30n, `${COUNTER}#${value}`);
    await operator.correctCounters(corrections);
    await gateway.reserve(call('b', 30n, [byValue]));
    await gateway.release('b');
    await gateway.reserve(call('c', 30n, [byValue]));
    await gateway.settle(cost('c', 25n));
    await operator.correctCounters(corrections);
    expect(await read()).toMatchObject({ spentNano: 25n, correctedNano: 30n });
  });

  test('shrinks where a call turns out to have cost less than was corrected', async () => {
    const { gateway, operator } = await established();
    const reservation = call('a', 30n, [check(100n, 30n)]);
    await gateway.settleUnchecked({ reservation, settlement: null });
    await operator.resolvePresumed(['a'], 'Book');
    await operator.correctCounters(correct(30n));
    expect(await gateway.settle(cost('a', 20n))).toBe('corrected');
    const { total } = (await operator.read([pool]))[0]!;
    expect(total).toMatchObject({ spentNano: 0n, correctedNano: 20n, certainNano: 0n, committedNano: 0n });
  });

  test('leaves a counter alone that is not kept', async () => {
    const { operator } = await established();
    expect(await operator.correctCounters(correct(-10n))).toBe(0);
    expect((await operator.read([pool]))[0]!.total).toMatchObject({ spentNano: 0n });
  });
});
