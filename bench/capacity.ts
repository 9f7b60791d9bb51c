import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Client } from 'ioredis';
import { startPostgres } from '../hack/services/postgres.ts';
import { startRedis } from '../hack/services/redis.ts';
import type { RedisLedger } from '../ledger/redis/connect-ledger.ts';
import type { Reservation } from '../ledger/reservation.ts';
import { openDatabase } from '../log/database/open-database.ts';
import { UsageLog } from '../log/usage-log.ts';
import type { Check } from '../policy/core/counter-check.ts';
import { nano } from '../policy/core/money.ts';
import { connectCalls, recordOf } from '../test/support/ledger-calls.ts';
import type { Figure } from './figures.ts';

const MANY = 10_000;
/** How many budgets apply to a call, as in the examples: two of the workspace, one with `per`, one spanning. */
const BUDGETS = 4;
const CONNECTIONS = 64;
const WORST = 18_000_000n;
const CAP = 10n ** 18n;

/** How many bytes the ledger and the log need for each thing, which docs/explanation/capacity.md multiplies. */
export async function measureCapacity(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), 'tollgate-capacity-'));
  const [redis, postgres] = [await startRedis({ directory }), await startPostgres({ directory })];
  const ledger = await connectCalls(redis.url, 'capacity');
  const client = new Client(redis.url);
  const log = new UsageLog({ open: () => openDatabase({ url: postgres.url }), ledger: ledger.operator });
  try {
    const memory = async () => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
    /** Bytes for each of `count` that `work` makes. */
    const bytes = async (count: number, work: () => Promise<unknown>): Promise<number> => {
      const before = await memory();
      await work();
      return (await memory()) - before <= 0 ? 0 : Math.round(((await memory()) - before) / count);
    };
    await log.drain();
    await hold(ledger, 'warm', 100, (n) => [pool(`warm-${n % 10}`)]);
    const counter = await bytes(MANY, () => hold(ledger, 'counter', MANY, (n) => [pool(`budget-${n}`)], 'released'));
    const tombstones = await bytes(MANY, () => hold(ledger, 'tomb', MANY, () => [pool('one')], 'released'));
    const free = await bytes(MANY, () => hold(ledger, 'free', MANY, (n) => [customers(n)], 'released'));
    const customer = await bytes(MANY, async () => {
      await hold(ledger, 'customer', MANY, (n) => [customers(n)]);
      await settle(ledger, 'customer', MANY);
      await log.drain();
    });
    const flight = await bytes(MANY, () => hold(ledger, 'flight', MANY, (n) => fourBudgetChecks(n)));
    const waiting = await bytes(MANY, () => settle(ledger, 'flight', MANY));
    await log.drain();
    const fences = new Map(Array.from({ length: MANY }, (_, n) => [`payments/workspace-${n}`, Date.now()] as const));
    const fence = await bytes(MANY, () => ledger.operator.raiseFences(fences));
    const database = await openDatabase({ url: postgres.url });
    const [total] = await database.query<{ bytes: number }>(
      `select (pg_total_relation_size('totals') / count(*))::int as bytes from totals`,
    );
    await database.close();
    return [
      sizeFigure('a counter (one budget, one period)', 400, counter - tombstones),
      sizeFigure('a customer of a budget with `per`', 600, customer - tombstones),
      sizeFigure('a call of a new customer that cost nothing, for 3 minutes', 300, free),
      sizeFigure(`a call in flight, ${BUDGETS} budgets`, 1_000, flight),
      sizeFigure('a call that ended, for 3 minutes (and while it waits for the log)', 2_000, flight + waiting),
      sizeFigure('its tombstone alone', 300, tombstones),
      sizeFigure('the fence of a workspace', 200, fence),
      sizeFigure('a counter in the log’s totals, in Postgres', 1_000, total?.bytes ?? 0),
    ];
  } finally {
    client.disconnect();
    await log.close();
    ledger.close();
    await Promise.all([redis.stop(), postgres.stop()]);
    rmSync(directory, { recursive: true, force: true });
  }
}

function sizeFigure(what: string, promised: number, bytes: number): Figure {
  return { what, promised: `≤ ${promised} bytes`, measured: `${bytes} bytes`, holds: bytes > 0 && bytes <= promised };
}

async function hold(
  ledger: RedisLedger,
  kind: string,
  count: number,
  checks: (n: number) => readonly Check[],
  then: 'kept' | 'released' = 'kept',
): Promise<void> {
  await each(count, async (n) => {
    const answer = await ledger.gateway.reserve(reservation(idOf(kind, n), checks(n)));
    if (answer.kind !== 'admitted') throw new Error(`reserve answered ${answer.kind}`);
    if (then === 'released') await ledger.gateway.release(idOf(kind, n));
  });
}

async function settle(ledger: RedisLedger, kind: string, count: number): Promise<void> {
  await each(count, async (n) => {
    const id = idOf(kind, n);
    const record = recordOf(id, `customer-${n % 500}`, 17_000_000n);
    await ledger.gateway.settle({ id, costNano: nano(17_000_000n), presumedNano: nano(0n), record });
  });
}

async function each(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
}

/** As long as the ids of gateways, which are UUIDs. */
function idOf(kind: string, n: number): string {
  return `${kind}-${String(n).padStart(35 - kind.length, '0')}`;
}

function pool(name: string): Check {
  const bound = { capNano: nano(CAP), roomNano: nano(CAP - WORST), gapRoomNano: nano(0n) };
  const end = Date.now() + 86_400_000;
  const counter = `payments/${name}/Day/America/New_York/1763874000000`;
  return { budget: `payments/${name}`, counter, value: null, start: 0, end, mode: 'Enforce', bound, total: null };
}

function customers(n: number): Check {
  return { ...pool('per-customer'), value: JSON.stringify([`customer-${n}`]) };
}

function fourBudgetChecks(n: number): Check[] {
  return [pool('checkout-daily'), pool('checkout-monthly'), pool('organisation'), customers(n % 500)];
}

function reservation(id: string, checks: readonly Check[]): Reservation {
  const until = Date.now() + 3_600_000;
  return {
    id,
    workspace: 'payments/checkout',
    version: 1,
    worstNano: nano(WORST),
    gapNano: nano(0n),
    from: 0,
    until,
    checks,
  };
}
