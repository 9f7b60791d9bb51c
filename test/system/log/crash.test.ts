import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import type { LogPlace } from '../../../config/log-place.ts';
import { type Child, start } from '../../../hack/services/processes.ts';
import type { RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { UsageLog } from '../../../log/usage-log.ts';
import { nano } from '../../../policy/core/money.ts';
import { call, connectCalls, counters, recordOf, reservationOf, reserve } from '../../support/ledger-calls.ts';
import { startPostgres } from '../../support/postgres.ts';
import { startRedis } from '../../support/redis.ts';

const CUSTOMERS = ['acme', 'umbrella', 'initech'];

/** Processes that ingest, each of which is killed at a random moment and followed by another, until `stop`. */
class Mortals {
  kills = 0;
  readonly #env: NodeJS.ProcessEnv;
  readonly #folder = mkdtempSync(join(tmpdir(), 'tollgate-crash-'));
  readonly #lives: Promise<void>[];
  #isOver = false;

  constructor(count: number, longestMs: number, env: NodeJS.ProcessEnv) {
    this.#env = env;
    this.#lives = Array.from({ length: count }, (_, index) => this.#live(`ingester-${index}`, longestMs));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#lives);
    rmSync(this.#folder, { recursive: true });
  }

  async #live(name: string, longestMs: number): Promise<void> {
    while (!this.#isOver) {
      const child = this.#start(name);
      await sleep(200 + Math.random() * longestMs);
      await child.kill();
      this.kills += 1;
    }
  }

  #start(name: string): Child {
    const script = join(import.meta.dirname, 'ingester.ts');
    const env = { PATH: process.env['PATH'], ...this.#env };
    return start({ name, command: process.execPath, args: [script], logFile: join(this.#folder, `${name}.log`), env });
  }
}

/** What was made of calls: how many were settled, and how many nobody knows the cost of. */
interface Made {
  settled: number;
  presumed: number;
}

/** Makes calls until `until`: most settle at once, some with a rest presumed, some late, some never. */
async function makeCalls(ledger: RedisLedger, until: () => boolean): Promise<Made> {
  const made: Made = { settled: 0, presumed: 0 };
  const loop = async (loopId: number): Promise<void> => {
    for (let i = 0; !until(); i++) {
      const id = `call-${loopId}-${i}`;
      const customer = CUSTOMERS[i % CUSTOMERS.length]!;
      if (i % 25 === 7) {
        await reserve(ledger, id, customer);
        await ledger.gateway.settleUnchecked({ reservation: reservationOf(id, customer), settlement: null });
        if (i % 2 === 0) await sleep(Math.random() * 20);
        if (i % 2 === 0)
          await ledger.gateway.settle({
            id,
            costNano: nano(3n),
            presumedNano: nano(0n),
            record: recordOf(id, customer, 3n),
          });
      } else {
        await call(ledger, id, customer, {
          costNano: nano(BigInt(1 + (i % 1000))),
          presumedNano: nano(i % 10 === 0 ? 5n : 0n),
        });
      }
      if (i % 25 === 7 && i % 2 === 1) made.presumed += 1;
      else made.settled += 1;
      if (i % 20 === 0) await sleep(1);
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, loopId) => loop(loopId)));
  return made;
}

/** Holds rows, totals and the ledger's counters against each other. */
async function expectNothingLostOrTwice(
  place: LogPlace,
  ledger: RedisLedger,
  { settled, presumed }: Made,
): Promise<void> {
  const log = new UsageLog({ open: () => openDatabase(place), ledger: ledger.operator });
  await log.drain();
  const totals = await log.totals(Date.now());
  await log.close();
  const database = await openDatabase(place);
  const sums = async (where: string) => {
    const [sum] = await database.query<{ spent: string; presumed: string; requests: number }>(
      `select coalesce(sum(cost_nano), 0)::text as spent,
         coalesce(sum(presumed_nano) filter (where state = 'presumed'), 0)::text as presumed,
         (count(*) filter (where state = 'final'))::int as requests
       from calls where ${where}`,
    );
    return { spentNano: BigInt(sum!.spent), presumedNano: BigInt(sum!.presumed), requests: sum!.requests };
  };
  const [rows] = await database.query<{ final: number; left: number; letters: number }>(
    `select (count(*) filter (where state = 'final'))::int as final,
       (count(*) filter (where state = 'presumed' and id not like '%/rest'))::int as left,
       (select count(*) from dead_letters)::int as letters from calls`,
  );
  expect(rows).toEqual({ final: settled, left: presumed, letters: 0 });
  const [pool = '', all = ''] = counters('');
  const query = { top: 10, also: [] };
  const [{ total }, { values }] = (await ledger.operator.read([
    { ...query, counter: pool, per: false },
    { ...query, counter: all, per: true },
  ])) as [
    Awaited<ReturnType<RedisLedger['operator']['read']>>[number],
    Awaited<ReturnType<RedisLedger['operator']['read']>>[number],
  ];
  const everything = await sums('true');
  expect(totalOf(pool)).toEqual(everything);
  expect(totalOf(all)).toEqual(everything);
  expect(everything).toEqual(inLedger(total));
  expect(values).toHaveLength(CUSTOMERS.length);
  for (const value of values) expect(totalOf(`${all}#${value.value}`)).toEqual(inLedger(value));
  expect((await ledger.operator.state()).streamLength).toBe(0);
  await database.close();

  function totalOf(counter: string) {
    const { spentNano, presumedNano, requests } = totals.find((each) => each.counter === counter)!;
    return { spentNano, presumedNano, requests };
  }
}

function inLedger({ spentNano, certainNano, requests }: { spentNano: bigint; certainNano: bigint; requests: number }) {
  return { spentNano, presumedNano: certainNano - spentNano, requests };
}

test('every call is one row while two ingesters and Postgres are killed repeatedly', async () => {
  const redis = await startRedis();
  let postgres = await startPostgres();
  const ledger = await connectCalls(redis.url, 'gateway');
  const mortals = new Mortals(2, 1_500, { REDIS_URL: redis.url, TOLLGATE_DATABASE_URL: postgres.url });
  const calls = makeCalls(ledger, () => mortals.kills >= 12);
  while (mortals.kills < 6) await sleep(100);
  await postgres.kill();
  await sleep(500);
  postgres = await startPostgres(postgres);
  const made = await calls;
  await mortals.stop();
  await expectNothingLostOrTwice({ url: postgres.url }, ledger, made);
  expect(made.settled).toBeGreaterThan(100);
  ledger.close();
  await Promise.all([redis.stop(), postgres.stop()]);
  for (const { directory } of [redis, postgres]) rmSync(directory, { recursive: true, force: true });
});

test('every call is one row while an ingester into PGlite is killed repeatedly', async () => {
  const redis = await startRedis();
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-log-'));
  const ledger = await connectCalls(redis.url, 'gateway');
  const mortals = new Mortals(1, 3_000, { REDIS_URL: redis.url, TOLLGATE_USAGE_LOG_FOLDER: folder });
  const made = await makeCalls(ledger, () => mortals.kills >= 4);
  await mortals.stop();
  await expectNothingLostOrTwice({ folder }, ledger, made);
  ledger.close();
  await redis.stop();
  for (const directory of [redis.directory, folder]) rmSync(directory, { recursive: true, force: true });
});
