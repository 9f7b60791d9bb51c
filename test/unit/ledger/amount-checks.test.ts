import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Check } from '../../../policy/core/counter-check.ts';
import { startRedis } from '../../support/redis.ts';
import { call, check, cost, established, pool } from './ledger-fixtures.ts';

let server: Awaited<ReturnType<typeof startRedis>>;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describe('amounts', () => {
  test('are exact up to 64 bits and refused beyond, with nothing written', async () => {
    const ledger = await established(server);
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
