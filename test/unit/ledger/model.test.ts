import { afterAll, beforeAll, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import type { LedgerState } from '../../../ledger/ledger.ts';
import { startRedis } from '../../support/redis.ts';
import { testSize } from '../../support/test-size.ts';
import { commands, contentions } from './model/commands.ts';
import { ComparedLedgers, GATEWAYS } from './model/compared-ledgers.ts';

/**
 * Two gateways do anything in any order, with a ledger in Redis and with one in memory. Both must give the same answers
 * and, after every step, hold the same counters; and the counters must be what the usage stream adds up to.
 */

let server: Awaited<ReturnType<typeof startRedis>>;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis({ configuration: ['appendonly no'] });
  redis = new Redis(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

/** The seed is fixed by default, so that a failure comes from a change of the code. */
const RUNS = Number(process.env['RUNS'] ?? testSize({ short: 60, long: 600 }));
const SEED = Number(process.env['SEED'] ?? 4);
const OPTIONS = { numRuns: RUNS, seed: SEED };
jest.setTimeout(300_000 + RUNS * 1000);
const SCALES = [100n, 2n ** 53n, 10n ** 18n, 2n ** 63n - 1n];

test('the ledger in Redis and the ledger in memory answer alike', () => fc.assert(alike(commands), OPTIONS));

test('they hold the same calls back where workspaces contend for a spanning budget', () =>
  fc.assert(alike(contentions), OPTIONS));

function alike(sequences: typeof commands) {
  return fc.asyncProperty(fc.constantFrom(...SCALES), sequences, async (scale, steps) => {
    const ledgers = new ComparedLedgers(redis, server.url, scale);
    try {
      for (const gateway of GATEWAYS) ledgers.begin(gateway, `first-${gateway}`);
      await until(() => ledgers.inRedis[0]!.operator.state());
      await until(() => ledgers.inRedis[1]!.operator.state());
      await ledgers.both(0, (ledger) => ledger.operator.establish('first'));
      for (const gateway of GATEWAYS) {
        await ledgers.both(gateway, (ledger) => ledger.gateway.beat({ pod: `gateway-${gateway}`, shards: {} }));
      }
      await fc.asyncModelRun(() => ({ model: {}, real: ledgers }), steps);
    } finally {
      ledgers.close();
    }
  });
}

async function until(ask: () => Promise<LedgerState>): Promise<void> {
  for (;;) {
    try {
      await ask();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
