import { once } from 'node:events';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { LEASE_MS } from '../../../ledger/durations.ts';
import { LedgerUnreachable } from '../../../ledger/ledger-unreachable.ts';
import type { Ledger } from '../../../ledger/ledger.ts';
import { MemoryLedger } from '../../../ledger/memory/memory-ledger.ts';
import { type RedisLedger, connectLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { Reservation } from '../../../ledger/reservation.ts';
import type { Settlement } from '../../../ledger/settlement.ts';
import type { Check } from '../../../policy/core/counter-check.ts';
import { MAX_VALUES, REST } from '../../../policy/core/counter-reading.ts';
import { startRedis } from '../../support/redis.ts';

const HOUR = 3_600_000;
const COUNTER = 'payments/daily/Day/UTC/0';
const pool = { counter: COUNTER, per: false, top: 0, also: [] };

type Server = Awaited<ReturnType<typeof startRedis>>;
let server: Server;
let installations = 0;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

/** A client that has come within reach. */
async function connected(
  on: Server,
  installation: string,
  epoch: () => string | null,
  usageLimit = 1000,
): Promise<RedisLedger> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const onReachable = (reachable: boolean): void => void (reachable && resolve());
  const ledger = connectLedger({ url: on.url, installation, epoch, usageLimit, onReachable });
  await promise;
  return ledger;
}

/** A new ledger with one gateway, `gateway-1`, that has beaten. */
async function established(on = server, epoch = { now: 'one' }): Promise<RedisLedger> {
  const ledger = await connected(on, `test-${(installations += 1)}`, () => epoch.now);
  await ledger.operator.establish(epoch.now);
  await join(ledger, 'gateway-1');
  return ledger;
}

async function join(ledger: Ledger, incarnation: string): Promise<void> {
  ledger.gateway.begin(incarnation);
  expect(await ledger.gateway.beat({ pod: incarnation, shards: {} })).toMatchObject({ kind: 'alive' });
}

function check(cap: bigint, worst: bigint, more: Partial<Check> = {}): Check {
  const now = Date.now();
  const bound = { capNano: cap, roomNano: cap - worst, gapRoomNano: 0n };
  const span = { start: now - HOUR, end: now + HOUR };
  return {
    budget: 'payments/daily',
    counter: COUNTER,
    value: null,
    ...span,
    mode: 'Enforce',
    bound,
    total: null,
    ...more,
  };
}

function call(id: string, worstNano: bigint, checks: readonly Check[], version = 1): Reservation {
  return {
    id,
    workspace: 'payments/checkout',
    version,
    worstNano,
    gapNano: 0n,
    from: 0,
    until: Date.now() + HOUR,
    checks,
  };
}

function cost(id: string, costNano: bigint, presumedNano = 0n): Settlement {
  return { id, costNano, presumedNano, record: { id, cost_nano: `${costNano}` } };
}

describe('reserve', () => {
  test('a call that does not fit waits while others are in flight, and is spent once they are settled', async () => {
    const ledger = await established();
    const ask = (id: string): Promise<unknown> => ledger.gateway.reserve(call(id, 60n, [check(100n, 60n)]));
    expect(await ask('a')).toMatchObject({ kind: 'admitted', committedNano: [60n] });
    const failure = { check: 0, ofTotal: false, spentNano: 0n, committedNano: 60n };
    expect(await ask('b')).toMatchObject({ kind: 'full', failures: [{ ...failure, waiting: true }] });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ refused: 0, exhaustedAtNano: null });
    await ledger.gateway.settle(cost('a', 50n));
    expect(await ask('b')).toMatchObject({ kind: 'full', failures: [{ spentNano: 50n, waiting: false }] });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ refused: 1, exhaustedAtNano: 100n });
    // Smaller, or under a cap that rose: admitted, and the budget is exhausted no more.
    expect(await ledger.gateway.reserve(call('c', 10n, [check(200n, 10n)]))).toMatchObject({ kind: 'admitted' });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ exhaustedAtNano: 100n });
    expect(await ledger.gateway.reserve(call('d', 10n, [check(100n, 10n)]))).toMatchObject({ kind: 'admitted' });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ refused: 1, exhaustedAtNano: null });
    ledger.close();
  });

  test('a retry after a time-out is admitted without reserving twice; a released id never again', async () => {
    const ledger = await established();
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
    const ledger = await established();
    const total = { capNano: 15n, roomNano: 15n - 10n, gapRoomNano: 0n };
    const ask = (id: string, value: string): Promise<unknown> =>
      ledger.gateway.reserve(call(id, 10n, [check(10n, 10n, { value, total })]));
    await ask('a', '["acme"]');
    await ledger.gateway.settle(cost('a', 10n));
    expect(await ask('b', '["acme"]')).toMatchObject({ failures: [{ ofTotal: false }, { ofTotal: true }] });
    expect(await ask('c', '["umbrella"]')).toMatchObject({ failures: [{ check: 0, ofTotal: true, waiting: false }] });
    const [reading] = await ledger.operator.read([{ counter: COUNTER, per: true, top: 1, also: ['["umbrella"]'] }]);
    expect(reading).toMatchObject({
      total: { spentNano: 10n, refused: 2, exhaustedAtNano: 15n },
      values: [
        { value: '["acme"]', spentNano: 10n, refused: 1, exhaustedAtNano: 10n },
        { value: '["umbrella"]', refused: 1, exhaustedAtNano: null },
      ],
      valueCount: 2,
      exhaustedCount: 1,
    });
    ledger.close();
  });

  test('a value is exhausted from the first call refused as spent until one is admitted', async () => {
    const ledger = await established();
    const ask = (id: string, worst: bigint): Promise<unknown> =>
      ledger.gateway.reserve(call(id, worst, [check(10n, worst, { value: '["acme"]' })]));
    const exhausted = async (): Promise<number> =>
      (await ledger.operator.read([{ counter: COUNTER, per: true, top: 0, also: [] }]))[0]!.exhaustedCount;
    expect(await ask('too dear', 11n)).toMatchObject({ kind: 'full', failures: [{ waiting: false, spentNano: 0n }] });
    expect(await exhausted()).toBe(1);
    expect(await ask('small', 10n)).toMatchObject({ kind: 'admitted' });
    expect(await exhausted()).toBe(0);
    ledger.close();
  });

  test('past the largest number of values the rest share one counter', async () => {
    const ledger = await established();
    const ask = (value: string): Promise<unknown> =>
      ledger.gateway.reserve(call(`call-${value}`, 1n, [check(10n, 1n, { value: JSON.stringify([value]) })]));
    for (let from = 0; from < MAX_VALUES; from += 500) {
      await Promise.all(Array.from({ length: 500 }, (_, index) => ask(`customer-${from + index}`)));
    }
    for (const value of ['late', 'later', 'customer-7']) expect(await ask(value)).toMatchObject({ kind: 'admitted' });
    const also = ['["later"]', '["customer-7"]'];
    const [reading] = await ledger.operator.read([{ counter: COUNTER, per: true, top: 0, also }]);
    expect(reading).toMatchObject({
      total: { committedNano: BigInt(MAX_VALUES) + 2n },
      values: [
        { value: REST, committedNano: 2n },
        { value: '["customer-7"]', committedNano: 1n },
      ],
      valueCount: MAX_VALUES + 1,
    });
    ledger.close();
  });

  test('the gaps of calls in flight stay within the tolerance, and a call that has none asks for none', async () => {
    const ledger = await established();
    const ask = (id: string, gapNano: bigint): Promise<unknown> => {
      const bound = { capNano: 100n, roomNano: 100n + 30n - 10n, gapRoomNano: 30n - gapNano };
      return ledger.gateway.reserve({ ...call(id, 10n, [check(100n, 10n, { bound })]), gapNano });
    };
    expect(await ask('a', 20n)).toMatchObject({ kind: 'admitted' });
    expect(await ask('b', 11n)).toMatchObject({ kind: 'full', failures: [{ waiting: true, committedNano: 10n }] });
    expect(await ask('b', 10n)).toMatchObject({ kind: 'admitted' });
    expect(await ask('c', 0n)).toMatchObject({ kind: 'admitted' });
    await ledger.gateway.settle(cost('a', 9n));
    expect(await ask('d', 20n)).toMatchObject({ kind: 'admitted' });
    await ledger.gateway.release('d');
    expect(await ask('e', 20n)).toMatchObject({ kind: 'admitted' });
    ledger.close();
  });

  test('nothing is admitted while the stream is at its bound, until the log has taken a record', async () => {
    const installation = `test-${(installations += 1)}`;
    const ledger = await connected(server, installation, () => 'one', 2);
    await ledger.operator.establish('one');
    await join(ledger, 'gateway-1');
    const ask = (id: string): Promise<unknown> => ledger.gateway.reserve(call(id, 1n, [check(9n, 1n)]));
    for (const id of ['a', 'b', 'c']) expect(await ask(id)).toMatchObject({ kind: 'admitted' });
    for (const id of ['a', 'b']) await ledger.gateway.settle(cost(id, 1n));
    expect(await ask('d')).toEqual({ kind: 'logBehind' });
    // What is in flight is booked whatever the bound.
    expect(await ledger.gateway.settle(cost('c', 1n))).toBe('settled');
    const [first, second] = await ledger.operator.readUsage(2);
    expect(first).toMatchObject({ record: { id: 'a', cost_nano: '1' }, counters: [COUNTER] });
    expect(first!.keepUntil).toBeGreaterThan(Date.now() + 7 * 24 * HOUR);
    await ledger.operator.deleteUsage([first!.entry, second!.entry]);
    expect(await ask('d')).toMatchObject({ kind: 'admitted' });
    ledger.close();
  });

  test('a period that has ended or not begun is refused by the clock of Redis', async () => {
    const ledger = await established();
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

  test('counters outlive their period by a week and no longer, a budget without an end stays', async () => {
    const ledger = await established();
    const end = Date.now() + HOUR;
    const forever = check(9n, 1n, {
      counter: 'payments/launch/Once/UTC/0',
      end: 8_640_000_000_000_000,
      value: '["a"]',
    });
    await ledger.gateway.reserve(call('a', 1n, [check(9n, 1n, { end }), forever]));
    const raw = new Redis(server.url);
    const prefix = `{tollgate:test-${installations}}:counter:`;
    expect(await raw.pexpiretime(`${prefix}${COUNTER}`)).toBe(end + 7 * 24 * HOUR);
    expect(await raw.pexpiretime(`${prefix}${forever.counter}#["a"]`)).toBe(8_640_000_000_000_000);
    // A settle that comes when the counter is gone books nothing there, and brings nothing back.
    await raw.del(`${prefix}${COUNTER}`);
    expect(await ledger.gateway.settle(cost('a', 1n))).toBe('settled');
    expect(await raw.exists(`${prefix}${COUNTER}`)).toBe(0);
    raw.disconnect();
    ledger.close();
  });
});

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
      failures: [{ waiting: false, spentNano: 0n, committedNano: 90n }],
    });
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

  test('nobody is swept for silence that was an outage of the ledger', async () => {
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

describe('a batch', () => {
  test('holds what is left of its worst case, is booked line by line exactly once, and is never swept', async () => {
    const clock = { now: 1_000_000 };
    const ledger = new MemoryLedger({ clock: () => clock.now }).connect(() => 'one');
    await ledger.operator.establish('one');
    await join(ledger, 'gateway-1');
    const span = { start: 0, end: 10 * HOUR };
    await ledger.gateway.reserve(call('a', 50n, [check(100n, 50n, span)]));
    const adoption = { id: 'a', batch: 'msgbatch_1', workspace: 'payments/checkout', meta: '{"key":"api"}' };
    expect(await ledger.gateway.openBatch(adoption)).toBe('settled');
    expect(await ledger.gateway.openBatch(adoption)).toBe('ended');
    clock.now += 2 * LEASE_MS;
    await ledger.operator.sweep();
    expect(await ledger.operator.openBatches()).toEqual([{ ...adoption, settledLines: 0, reservedNano: 50n }]);
    const line = (id: string, costNano: bigint): { costNano: bigint; record: Settlement['record'] } => {
      return { costNano, record: { id, state: 'final', cost_nano: `${costNano}` } };
    };
    const lines = [line('a/1', 20n), line('a/2', 5n)];
    expect(await ledger.operator.settleBatchLines({ batch: 'msgbatch_1', from: 0, lines })).toEqual({
      settledLines: 2,
    });
    expect(await ledger.operator.settleBatchLines({ batch: 'msgbatch_1', from: 0, lines })).toEqual({
      settledLines: 2,
    });
    const held = { spentNano: 25n, certainNano: 25n, committedNano: 50n, requests: 2 };
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject(held);
    // Dearer than was held: booked exactly all the same.
    await ledger.operator.settleBatchLines({ batch: 'msgbatch_1', from: 2, lines: [line('a/3', 30n)] });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ spentNano: 55n, committedNano: 55n });
    expect(await ledger.gateway.batchOwners(['msgbatch_1', 'another'])).toEqual([
      { workspace: 'payments/checkout', settled: false },
      null,
    ]);
    await ledger.operator.closeBatch('msgbatch_1');
    expect(await ledger.gateway.batchOwners(['msgbatch_1'])).toEqual([
      { workspace: 'payments/checkout', settled: true },
    ]);
    expect(await ledger.operator.settleBatchLines({ batch: 'msgbatch_1', from: 3, lines: [] })).toEqual({
      settledLines: -1,
    });
    expect(await ledger.operator.openBatches()).toEqual([]);
  });

  test('that the ledger lost is put back as far as others know it, and what is further here stays', async () => {
    const ledger = await established();
    const known = { id: 'a', batch: 'msgbatch_1', workspace: 'payments/checkout', meta: '{"key":"api"}' };
    const counters = [pool.counter];
    const kept = {
      ...known,
      settledLines: 2,
      reservedNano: 50n,
      settled: false,
      counters,
      keepUntil: Date.now() + HOUR,
    };
    const raised = { counter: pool.counter, keepUntil: kept.keepUntil, spentNano: 25n, presumedNano: 0n, requests: 2 };
    await ledger.operator.raiseCounters([raised]);
    for (let times = 0; times < 2; times += 1) await ledger.operator.restoreBatches([kept]);
    expect(await ledger.operator.openBatches()).toEqual([{ ...known, settledLines: 2, reservedNano: 50n }]);
    expect(await ledger.gateway.batchOwners(['msgbatch_1'])).toEqual([
      { workspace: 'payments/checkout', settled: false },
    ]);
    const counter = async () => (await ledger.operator.read([pool]))[0]!.total;
    expect(await counter()).toMatchObject({ spentNano: 25n, certainNano: 25n, committedNano: 75n });
    // Whoever handed it over tells it again: it is there already.
    expect(await ledger.gateway.openBatch(known)).toBe('ended');
    expect((await ledger.gateway.reserve(call('a', 1n, []))).kind).toBe('ended');

    await ledger.operator.restoreBatches([{ ...kept, settledLines: 3, reservedNano: 20n }, kept]);
    expect(await ledger.operator.openBatches()).toEqual([{ ...known, settledLines: 3, reservedNano: 20n }]);
    expect(await counter()).toMatchObject({ spentNano: 25n, committedNano: 45n });
    await ledger.operator.restoreBatches([{ ...kept, settledLines: 0, reservedNano: 0n, settled: true }]);
    expect(await counter()).toMatchObject({ spentNano: 25n, committedNano: 25n });
    // From an operator that read the log before it was settled.
    await ledger.operator.restoreBatches([{ ...kept, settledLines: 4, reservedNano: 10n }]);
    expect(await ledger.operator.openBatches()).toEqual([]);
    expect(await ledger.gateway.batchOwners(['msgbatch_1'])).toEqual([
      { workspace: 'payments/checkout', settled: true },
    ]);
    expect(await counter()).toMatchObject({ spentNano: 25n, committedNano: 25n });
  });
});

describe('amounts', () => {
  test('are exact up to 64 bits and refused beyond, with nothing written', async () => {
    const ledger = await established();
    const max = 2n ** 63n - 1n;
    const watched = (worst: bigint): Check => check(max, worst, { mode: 'Observe' });
    await ledger.gateway.reserve(call('a', max - 1n, [watched(max - 1n)]));
    await expect(ledger.gateway.reserve(call('b', 2n, [watched(2n)]))).rejects.toThrow(RangeError);
    for (const wrong of [-1n, max + 1n]) {
      await expect(ledger.gateway.reserve(call('b', wrong, [watched(1n)]))).rejects.toThrow(RangeError);
      await expect(ledger.gateway.settle(cost('a', wrong))).rejects.toThrow(RangeError);
    }
    expect(await ledger.gateway.reserve(call('c', 1n, [watched(1n)]))).toMatchObject({ committedNano: [max] });
    expect(await ledger.gateway.settle(cost('a', 9_007_199_254_740_993n, 1n))).toBe('settled');
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({
      spentNano: 9_007_199_254_740_993n,
      certainNano: 9_007_199_254_740_994n,
      committedNano: 9_007_199_254_740_995n,
    });
    await ledger.gateway.settle(cost('c', 990_992_800_745_259_007n));
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({
      spentNano: 1_000_000_000_000_000_000n,
      committedNano: 1_000_000_000_000_000_001n,
    });
    ledger.close();
  });
});

describe('Redis', () => {
  test('full: admits nothing more, but settles, releases and beats', async () => {
    const own = await startRedis({ configuration: ['maxmemory-policy noeviction'] });
    const ledger = await established(own);
    for (const id of ['a', 'b']) await ledger.gateway.reserve(call(id, 1n, [check(9n, 1n)]));
    const raw = new Redis(own.url);
    await raw.config('SET', 'maxmemory', '1');
    await expect(ledger.gateway.reserve(call('c', 1n, []))).rejects.toThrow(LedgerUnreachable);
    expect(await ledger.gateway.settle(cost('a', 1n))).toBe('settled');
    expect(await ledger.gateway.release('b')).toBe('settled');
    expect(await ledger.gateway.beat({ pod: 'gateway-1', shards: {} })).toMatchObject({ kind: 'alive', open: [] });
    expect(await ledger.operator.sweep()).toBe(0);
    expect(
      await ledger.gateway.settleUnchecked({ reservation: call('d', 2n, [check(9n, 2n)]), settlement: cost('d', 2n) }),
    ).toBe('settled');
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ spentNano: 3n, committedNano: 3n });
    const row = { minute: 0, workspace: 'payments/a', key: 'api', budget: '', reason: 'BudgetSpent', count: 1 };
    await expect(ledger.gateway.appendRefusals([row])).rejects.toThrow(LedgerUnreachable);
    await raw.config('SET', 'maxmemory', '0');
    await ledger.gateway.appendRefusals([row, { ...row, count: 2 }]);
    const refusals = await ledger.operator.readRefusals(9);
    expect(refusals.map((one) => one.row)).toEqual([row, { ...row, count: 2 }]);
    await ledger.operator.deleteRefusals([refusals[0]!.entry]);
    expect((await ledger.operator.readRefusals(9)).map((one) => one.row.count)).toEqual([2]);
    raw.disconnect();
    ledger.close();
    await own.stop();
  });

  test('hung: a command ends after the time-out, and the reserve that arrives late meets a tombstone', async () => {
    const ledger = connectLedger({
      url: server.url,
      installation: `test-${(installations += 1)}`,
      epoch: () => 'one',
      commandTimeout: 1_000,
    });
    await reachable(ledger);
    await ledger.operator.establish('one');
    await join(ledger, 'gateway-1');
    process.kill(server.pid, 'SIGSTOP');
    const asked = call('a', 1n, [check(9n, 1n)]);
    await expect(ledger.gateway.reserve(asked)).rejects.toThrow(LedgerUnreachable);
    process.kill(server.pid, 'SIGCONT');
    expect(['settled', 'unknown']).toContain(await ledger.gateway.release('a'));
    expect(await ledger.gateway.reserve(asked)).toEqual({ kind: 'ended' });
    expect(await ledger.gateway.beat({ pod: 'gateway-1', shards: {} })).toMatchObject({ open: [] });
    ledger.close();
  });

  test('a wrong password is out of reach, and no error shows it', async () => {
    const url = server.url.replace(/:[^:@]*@/, ':not-the-password@');
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const onReachable = (_: boolean, error?: Error): void => resolve(error);
    const ledger = connectLedger({ url, installation: 'none', epoch: () => 'one', onReachable });
    const errors = [await promise, await ledger.operator.state().catch((error: unknown) => error)];
    expect(errors).toEqual([expect.any(LedgerUnreachable), expect.any(LedgerUnreachable)]);
    for (const error of errors) expect(error).toHaveProperty('message', expect.stringContaining('WRONGPASS'));
    expect(inspect(errors, { depth: 10, showHidden: true })).not.toContain('not-the-password');
    ledger.close();
  });
});

/** Waits until Redis answers. */
async function reachable(ledger: RedisLedger): Promise<void> {
  for (;;) {
    try {
      await ledger.operator.state();
      return;
    } catch (error) {
      if (!(error instanceof LedgerUnreachable)) throw error;
      await once(AbortSignal.timeout(20), 'abort');
    }
  }
}
