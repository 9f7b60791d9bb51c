import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { LEASE_MS } from '../../../ledger/durations.ts';
import { MemoryLedger } from '../../../ledger/memory/memory-ledger.ts';
import { keyPrefix } from '../../../ledger/redis/keys.ts';
import type { Settlement } from '../../../ledger/reservation.ts';
import { nano, type Nano } from '../../../policy/core/money.ts';
import { OWNER } from '../../support/owner.ts';
import { startRedis } from '../../support/redis.ts';
import { call, check, established, HOUR, join, newInstallation, pool } from './ledger-fixtures.ts';

let server: Awaited<ReturnType<typeof startRedis>>;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describe('a Message Batch', () => {
  test('reserves what is left of its worst case, is settled line by line exactly once, and is never swept', async () => {
    const clock = { now: 1_000_000 };
    const ledger = new MemoryLedger({ clock: () => clock.now }).connect(() => 'one');
    await ledger.operator.establish('one');
    await join(ledger, 'gateway-1');
    const span = { start: 0, end: 10 * HOUR };
    await ledger.gateway.reserve(call('a', 50n, [check(100n, 50n, span)]));
    const adoption = { id: 'a', batch: 'msgbatch_1', ...OWNER, meta: '{"key":"api"}' };
    expect(await ledger.gateway.openBatch(adoption)).toBe('settled');
    expect(await ledger.gateway.openBatch(adoption)).toBe('ended');
    clock.now += 2 * LEASE_MS;
    await ledger.operator.sweep();
    expect(await ledger.operator.openBatches()).toEqual([{ ...adoption, settledLines: 0, reservedNano: 50n }]);
    const line = (id: string, cost: bigint): { costNano: Nano; record: Settlement['record'] } => {
      return { costNano: nano(cost), record: { id, state: 'final', cost_nano: `${cost}` } };
    };
    const lines = [line('a/1', 20n), line('a/2', 5n)];
    expect(await ledger.operator.settleBatchLines({ batch: 'msgbatch_1', from: 0, lines })).toEqual({
      settledLines: 2,
    });
    expect(await ledger.operator.settleBatchLines({ batch: 'msgbatch_1', from: 0, lines })).toEqual({
      settledLines: 2,
    });
    const sums = { spentNano: 25n, certainNano: 25n, committedNano: 50n, requests: 2 };
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject(sums);
    // More expensive than was reserved: settled exactly all the same.
    await ledger.operator.settleBatchLines({ batch: 'msgbatch_1', from: 2, lines: [line('a/3', 30n)] });
    expect((await ledger.operator.read([pool]))[0]!.total).toMatchObject({ spentNano: 55n, committedNano: 55n });
    expect(await ledger.gateway.batchOwners(['msgbatch_1', 'another'])).toEqual([{ ...OWNER, settled: false }, null]);
    await ledger.operator.closeBatch('msgbatch_1');
    expect(await ledger.gateway.batchOwners(['msgbatch_1'])).toEqual([{ ...OWNER, settled: true }]);
    expect(await ledger.operator.settleBatchLines({ batch: 'msgbatch_1', from: 3, lines: [] })).toEqual({
      settledLines: -1,
    });
    expect(await ledger.operator.openBatches()).toEqual([]);
  });

  test('that the ledger lost is restored from the usage log, and one with more settled lines stays', async () => {
    const ledger = await established(server);
    const known = { id: 'a', batch: 'msgbatch_1', ...OWNER, meta: '{"key":"api"}' };
    const counters = [pool.counter];
    const logged = {
      ...known,
      settledLines: 2,
      reservedNano: nano(50n),
      settled: false,
      counters,
      keepUntil: Date.now() + HOUR,
    };
    const raised = {
      counter: pool.counter,
      keepUntil: logged.keepUntil,
      spentNano: nano(25n),
      presumedNano: nano(0n),
      requests: 2,
    };
    await ledger.operator.raiseCounters([raised]);
    for (let times = 0; times < 2; times += 1) await ledger.operator.restoreBatches([logged]);
    expect(await ledger.operator.openBatches()).toEqual([{ ...known, settledLines: 2, reservedNano: 50n }]);
    expect(await ledger.gateway.batchOwners(['msgbatch_1'])).toEqual([{ ...OWNER, settled: false }]);
    const counter = async () => (await ledger.operator.read([pool]))[0]!.total;
    expect(await counter()).toMatchObject({ spentNano: 25n, certainNano: 25n, committedNano: 75n });
    // The gateway that opened it replays that: the batch is there already.
    expect(await ledger.gateway.openBatch(known)).toBe('ended');
    expect((await ledger.gateway.reserve(call('a', 1n, []))).kind).toBe('ended');

    await ledger.operator.restoreBatches([{ ...logged, settledLines: 3, reservedNano: nano(20n) }, logged]);
    expect(await ledger.operator.openBatches()).toEqual([{ ...known, settledLines: 3, reservedNano: 20n }]);
    expect(await counter()).toMatchObject({ spentNano: 25n, committedNano: 45n });
    await ledger.operator.restoreBatches([{ ...logged, settledLines: 0, reservedNano: nano(0n), settled: true }]);
    expect(await counter()).toMatchObject({ spentNano: 25n, committedNano: 25n });
    // From an operator that read the log before the batch was settled.
    await ledger.operator.restoreBatches([{ ...logged, settledLines: 4, reservedNano: nano(10n) }]);
    expect(await ledger.operator.openBatches()).toEqual([]);
    expect(await ledger.gateway.batchOwners(['msgbatch_1'])).toEqual([{ ...OWNER, settled: true }]);
    expect(await counter()).toMatchObject({ spentNano: 25n, committedNano: 25n });
  });

  test('that was opened before there were uids belongs to nobody', async () => {
    const installation = newInstallation();
    const ledger = await established(server, installation);
    const raw = new Redis(server.url);
    await raw.set(`${keyPrefix(installation)}:batch:msgbatch_old`, '0payments/checkout', 'PX', HOUR);
    raw.disconnect();
    const owner = { workspace: 'payments/checkout', workspaceUid: '', namespaceUid: '' };
    expect(await ledger.gateway.batchOwners(['msgbatch_old'])).toEqual([{ ...owner, settled: false }]);
    ledger.close();
  });
});
