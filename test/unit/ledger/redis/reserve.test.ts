import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { CheckMode } from '../../../../policy/core/counter-check.ts';
import { MAX_VALUES, SHARED_VALUE } from '../../../../policy/core/counter-reading.ts';
import { nano } from '../../../../policy/core/money.ts';
import { startRedis } from '../../../support/redis.ts';
import {
  call,
  check,
  connected,
  cost,
  COUNTER,
  established,
  HOUR,
  join,
  newInstallation,
  pool,
} from '../ledger-fixtures.ts';

let server: Awaited<ReturnType<typeof startRedis>>;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describe('reserve', () => {
  test('a call that does not fit waits while others are in flight, and is spent once they are settled', async () => {
    const ledger = await established(server);
    const ask = (id: string): Promise<unknown> => ledger.gateway.reserve(call(id, 60n, [check(100n, 60n)]));
    expect(await ask('a')).toMatchObject({ kind: 'admitted', committedNano: [60n] });
    const failure = { check: 0, ofTotal: false, spentNano: 0n, certainNano: 0n };
    expect(await ask('b')).toMatchObject({ kind: 'full', failures: [{ ...failure, verdict: 'waiting' }] });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ refused: 0, exhaustedAtNano: null });
    await ledger.gateway.settle(cost('a', 95n));
    const spent = { spentNano: 95n, certainNano: 95n, committedNano: 95n, verdict: 'spent' };
    expect(await ask('b')).toMatchObject({ kind: 'full', failures: [spent] });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ refused: 1, exhaustedAtNano: 100n });
    // Smaller, or under a cap that rose: admitted, and the budget is exhausted no more.
    expect(await ledger.gateway.reserve(call('c', 2n, [check(200n, 2n)]))).toMatchObject({ kind: 'admitted' });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ exhaustedAtNano: 100n });
    expect(await ledger.gateway.reserve(call('d', 2n, [check(100n, 2n)]))).toMatchObject({ kind: 'admitted' });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ refused: 1, exhaustedAtNano: null });
    ledger.close();
  });

  test('a call is too large where a mean call would still fit: it is counted, and the budget is not exhausted', async () => {
    const ledger = await established(server);
    const read = async () => (await ledger.operator.read([pool]))[0]!.total;
    const ask = (id: string, worst: bigint, mode: CheckMode = 'Enforce'): Promise<unknown> =>
      ledger.gateway.reserve(call(id, worst, [check(100n, worst, { mode })]));
    // Nothing has settled, so there is no mean call.
    expect(await ask('a', 101n)).toMatchObject({ failures: [{ verdict: 'tooLarge', committedNano: 0n }] });
    for (const id of ['b', 'c']) await ask(id, 30n);
    await ledger.gateway.settle(cost('b', 30n, 0n));
    await ledger.gateway.settle(cost('c', 10n, 20n));
    // 40 of two calls are spent and 20 presumed: 40 are left, and a mean call costs less.
    expect(await ask('d', 41n)).toMatchObject({
      failures: [{ verdict: 'tooLarge', spentNano: 40n, certainNano: 60n, committedNano: 60n }],
    });
    expect(await read()).toMatchObject({ refused: 2, exhaustedAtNano: null, tooLargeNano: 41n });
    expect(await ask('e', 50n, 'Observe')).toMatchObject({ kind: 'admitted' });
    expect(await read()).toMatchObject({ refused: 2, wouldRefuse: 1, tooLargeNano: 50n });
    await ledger.gateway.settle(cost('e', 26n));
    // 14 are left, and a mean call costs more than 16.
    expect(await ask('f', 20n)).toMatchObject({ failures: [{ verdict: 'spent' }] });
    expect(await read()).toMatchObject({ refused: 3, exhaustedAtNano: 100n, tooLargeNano: 50n });
    ledger.close();
  });

  test('a call that is too large for one budget is refused at once, though it could wait for another', async () => {
    const ledger = await established(server);
    const small = { counter: 'payments/small/Day/UTC/0', budget: 'payments/small' };
    await ledger.gateway.reserve(call('a', 60n, [check(100n, 60n)]));
    const both = [check(100n, 60n), check(50n, 60n, small)];
    expect(await ledger.gateway.reserve(call('b', 60n, both))).toMatchObject({
      failures: [{ verdict: 'waiting' }, { verdict: 'tooLarge' }],
    });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ refused: 0, tooLargeNano: null });
    ledger.close();
  });

  test.each([
    [2n ** 53n + 1n, 3, 0n, 'tooLarge'],
    [2n ** 53n + 1n, 3, 1n, 'spent'],
    [1n, 5_000_001, 0n, 'tooLarge'],
    [1n, 5_000_001, 1n, 'spent'],
    [1_234_567_890_123n, 1_234_567, 0n, 'tooLarge'],
    [1_234_567_890_123n, 1_234_567, 1n, 'spent'],
    [2n ** 62n, 1_000_000_000, -(2n ** 62n) * 1_000_000_001n + 1n, 'tooLarge'],
  ])('compares %p that are left with the mean of %p calls exactly (%p)', async (left, requests, more, verdict) => {
    const ledger = await established(server);
    const spentNano = nano(left * BigInt(requests + 1) + more);
    const keepUntil = Date.now() + HOUR;
    await ledger.operator.raiseCounters([{ counter: COUNTER, keepUntil, spentNano, presumedNano: nano(0n), requests }]);
    const worst = left + 1n;
    expect(await ledger.gateway.reserve(call('a', worst, [check(spentNano + left, worst)]))).toMatchObject({
      failures: [{ verdict }],
    });
    ledger.close();
  });

  test('a retry after a time-out is admitted without reserving twice; a released id never again', async () => {
    const ledger = await established(server);
    const asked = call('a', 60n, [check(100n, 60n)]);
    await ledger.gateway.reserve(asked);
    await ledger.operator.raiseFences(new Map([['payments/checkout', 9]]));
    expect(await ledger.gateway.reserve(asked)).toMatchObject({ kind: 'admitted', committedNano: [60n] });
    expect(await ledger.gateway.reserve({ ...asked, id: 'b' })).toEqual({ kind: 'stale', version: 9 });
    expect(await ledger.gateway.release('c')).toBe('unknown');
    for (const id of ['a', 'a']) await ledger.gateway.release(id);
    for (const id of ['a', 'c'])
      expect(await ledger.gateway.reserve({ ...asked, id, version: 9 })).toEqual({ kind: 'ended' });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ committedNano: 0n });
    ledger.close();
  });

  test('the value and the total over all values are both reported where neither has room', async () => {
    const ledger = await established(server);
    const total = { capNano: nano(14n), roomNano: nano(14n - 10n), gapRoomNano: nano(0n) };
    const ask = (id: string, value: string): Promise<unknown> =>
      ledger.gateway.reserve(call(id, 10n, [check(10n, 10n, { value, total })]));
    await ask('a', '["acme"]');
    await ledger.gateway.settle(cost('a', 10n));
    expect(await ask('b', '["acme"]')).toMatchObject({ failures: [{ ofTotal: false }, { ofTotal: true }] });
    expect(await ask('c', '["umbrella"]')).toMatchObject({ failures: [{ check: 0, ofTotal: true, verdict: 'spent' }] });
    const [reading] = await ledger.operator.read([{ counter: COUNTER, per: true, top: 1, also: ['["umbrella"]'] }]);
    expect(reading).toMatchObject({
      total: { spentNano: 10n, refused: 2, exhaustedAtNano: 14n },
      values: [
        { value: '["acme"]', spentNano: 10n, refused: 1, exhaustedAtNano: 10n },
        // It has spent nothing, so a refusal leaves no counter.
        { value: '["umbrella"]', refused: 0, exhaustedAtNano: null },
      ],
      valueCount: 1,
      exhaustedCount: 1,
    });
    ledger.close();
  });

  test('a value is exhausted from the first call refused as spent until one is admitted', async () => {
    const ledger = await established(server);
    const ask = (id: string, worst: bigint): Promise<unknown> =>
      ledger.gateway.reserve(call(id, worst, [check(10n, worst, { value: '["acme"]' })]));
    const exhausted = async (): Promise<number> =>
      (await ledger.operator.read([{ counter: COUNTER, per: true, top: 0, also: [] }]))[0]!.exhaustedCount;
    await ask('first', 7n);
    await ledger.gateway.settle(cost('first', 7n));
    expect(await ask('too expensive', 10n)).toMatchObject({
      kind: 'full',
      failures: [{ verdict: 'spent', spentNano: 7n }],
    });
    expect(await exhausted()).toBe(1);
    expect(await ask('small', 3n)).toMatchObject({ kind: 'admitted' });
    expect(await exhausted()).toBe(0);
    ledger.close();
  });

  test('past the largest number of values the rest share one counter', async () => {
    const ledger = await established(server);
    const ask = (value: string): Promise<unknown> =>
      ledger.gateway.reserve(call(`call-${value}`, 1n, [check(10n, 1n, { value: JSON.stringify([value]) })]));
    for (let from = 0; from < MAX_VALUES; from += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => ask(`customer-${from + index}`)));
    }
    for (const value of ['late', 'later', 'customer-7']) expect(await ask(value)).toMatchObject({ kind: 'admitted' });
    const also = ['["later"]', '["customer-7"]'];
    const [reading] = await ledger.operator.read([
      { counter: COUNTER, per: true, top: 0, also, sharedValue: SHARED_VALUE },
    ]);
    expect(reading).toMatchObject({
      total: { committedNano: BigInt(MAX_VALUES) + 2n },
      values: [
        { value: SHARED_VALUE, committedNano: 2n },
        { value: '["customer-7"]', committedNano: 1n },
      ],
      valueCount: MAX_VALUES + 1,
    });
    ledger.close();
  });

  test('the gaps of calls in flight stay within the tolerance, and a call that has none asks for none', async () => {
    const ledger = await established(server);
    const ask = (id: string, gapNano: bigint): Promise<unknown> => {
      const bound = { capNano: nano(100n), roomNano: nano(100n + 30n - 10n), gapRoomNano: nano(30n - gapNano) };
      return ledger.gateway.reserve({ ...call(id, 10n, [check(100n, 10n, { bound })]), gapNano: nano(gapNano) });
    };
    expect(await ask('a', 20n)).toMatchObject({ kind: 'admitted' });
    expect((await ledger.operator.read([pool]))[0]!.total.committedNano).toBe(10n);
    expect(await ask('b', 11n)).toMatchObject({ kind: 'full', failures: [{ verdict: 'waiting', certainNano: 0n }] });
    expect(await ask('b', 10n)).toMatchObject({ kind: 'admitted' });
    expect(await ask('c', 0n)).toMatchObject({ kind: 'admitted' });
    await ledger.gateway.settle(cost('a', 9n));
    expect(await ask('d', 20n)).toMatchObject({ kind: 'admitted' });
    await ledger.gateway.release('d');
    expect(await ask('e', 20n)).toMatchObject({ kind: 'admitted' });
    ledger.close();
  });

  test('records of free calls leave a share of the usage stream to calls that cost money', async () => {
    const installation = newInstallation();
    const ledger = await connected(server, installation, 8);
    await ledger.operator.establish('one');
    await join(ledger, 'gateway-1');
    const append = (id: string, share: number): Promise<boolean> =>
      ledger.gateway.appendFreeUsage({ id, state: 'final', cost_nano: '0' }, share);
    for (const id of ['a', 'b', 'c', 'd']) expect(await append(id, 0.5)).toBe(true);
    expect([await append('e', 0.5), await append('f', 0.75), await append('g', 0.75)]).toEqual([false, true, true]);
    expect([await append('h', 0.75), (await ledger.operator.readUsage(99)).length]).toEqual([false, 6]);
    expect(await ledger.gateway.reserve(call('paid', 1n, [check(9n, 1n)]))).toMatchObject({ kind: 'admitted' });
    ledger.close();
  });

  test('nothing is admitted while the usage stream is at its limit, until the log has taken a record', async () => {
    const installation = newInstallation();
    const ledger = await connected(server, installation, 2);
    await ledger.operator.establish('one');
    await join(ledger, 'gateway-1');
    const ask = (id: string): Promise<unknown> => ledger.gateway.reserve(call(id, 1n, [check(9n, 1n)]));
    for (const id of ['a', 'b', 'c']) expect(await ask(id)).toMatchObject({ kind: 'admitted' });
    for (const id of ['a', 'b']) await ledger.gateway.settle(cost(id, 1n));
    expect(await ask('d')).toEqual({ kind: 'logBehind' });
    // Calls in flight settle whatever the limit.
    expect(await ledger.gateway.settle(cost('c', 1n))).toBe('settled');
    const [first, second] = await ledger.operator.readUsage(2);
    expect(first).toMatchObject({ record: { id: 'a', cost_nano: '1' }, counters: [COUNTER] });
    expect(first!.keepUntil).toBeGreaterThan(Date.now() + 7 * 24 * HOUR);
    await ledger.operator.deleteUsage([first!.entry, second!.entry]);
    expect(await ask('d')).toMatchObject({ kind: 'admitted' });
    ledger.close();
  });

  test('a period that has ended or not begun is refused by the clock of Redis', async () => {
    const ledger = await established(server);
    const now = Date.now();
    for (const span of [
      { start: now - HOUR, end: now - 1000 },
      { start: now + 60_000, end: now + HOUR },
    ]) {
      const answer = await ledger.gateway.reserve(call('a', 1n, [check(10n, 1n, span)]));
      expect(answer).toMatchObject({ kind: 'wrongPeriod' });
      expect(Math.abs((answer as { now: number }).now - now)).toBeLessThan(30_000);
    }
    ledger.close();
  });

  test('a pool outlives its period by a week and a value by two days; a budget without an end stays', async () => {
    const installation = newInstallation();
    const ledger = await established(server, installation);
    const end = Date.now() + HOUR;
    const forever = check(9n, 1n, {
      counter: 'payments/launch/Once/UTC/0',
      end: 8_640_000_000_000_000,
      value: '["a"]',
    });
    const customers = check(9n, 1n, { end, counter: 'payments/customers/Day/UTC/0', value: '["a"]' });
    await ledger.gateway.reserve(call('a', 1n, [check(9n, 1n, { end }), customers, forever]));
    const raw = new Redis(server.url);
    const prefix = `{tollgate:${installation}}:counter:`;
    expect(await raw.pexpiretime(`${prefix}${COUNTER}`)).toBe(end + 7 * 24 * HOUR);
    expect(await raw.pexpiretime(`${prefix}${customers.counter}#["a"]`)).toBe(end + 2 * 24 * HOUR);
    expect(await raw.pexpiretime(`${prefix}${forever.counter}`)).toBe(8_640_000_000_000_000);
    expect(await raw.pexpiretime(`${prefix}${forever.counter}#["a"]`)).toBe(8_640_000_000_000_000 - 5 * 24 * HOUR);
    // A settle that comes when the counter is gone books nothing there, and brings nothing back.
    await raw.del(`${prefix}${COUNTER}`);
    expect(await ledger.gateway.settle(cost('a', 1n))).toBe('settled');
    expect(await raw.exists(`${prefix}${COUNTER}`)).toBe(0);
    raw.disconnect();
    ledger.close();
  });
});
