import { randomBytes } from 'node:crypto';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import type { LogPlace } from '../../../config/log-place.ts';
import type { Postgres } from '../../../hack/services/postgres.ts';
import type { Redis } from '../../../hack/services/redis.ts';
import type { RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { StreamEntry } from '../../../ledger/streams.ts';
import type { DeadLetter } from '../../../log/call-row.ts';
import { type Database, LogUnreachable } from '../../../log/database/database.ts';
import { migrate } from '../../../log/database/migrate.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { openPGlite } from '../../../log/database/pglite.ts';
import { UsageLog } from '../../../log/usage-log.ts';
import { callColumns, type StreamedRecord } from '../../../policy/core/usage-record.ts';
import { call, connectCalls, counters, recordOf, reservationOf, reserve } from '../../support/ledger-calls.ts';
import { startPostgres } from '../../support/postgres.ts';
import { startRedis } from '../../support/redis.ts';

let redis: Redis & { directory: string };
let postgres: Postgres & { directory: string };

beforeAll(async () => {
  [redis, postgres] = await Promise.all([startRedis(), startPostgres()]);
}, 120_000);

afterAll(async () => {
  await Promise.all([redis.stop(), postgres.stop()]);
  for (const { directory } of [redis, postgres]) rmSync(directory, { recursive: true, force: true });
});

const places: Record<string, () => LogPlace> = {
  Postgres: () => ({ url: postgres.url }),
  PGlite: () => ({ folder: mkdtempSync(join(tmpdir(), 'tollgate-log-')) }),
};

describe.each(Object.keys(places))('the log in %s', (name) => {
  let database: Database;
  let ledger: RedisLedger;
  let log: UsageLog;
  let deadLetters: DeadLetter[] = [];

  beforeAll(async () => {
    database = await openDatabase(places[name]!());
    const open = async () => ({ ...database, close: async () => {} });
    ledger = await connectCalls(redis.url, name);
    log = new UsageLog({ open, ledger: ledger.operator, onDeadLetters: (more) => deadLetters.push(...more) });
    await log.drain();
  }, 120_000);

  beforeEach(async () => {
    deadLetters = [];
    await database.query('truncate calls, batches, totals, refusals, dead_letters, positions');
  });

  afterAll(async () => {
    await log.close();
    await database.close();
    ledger.close();
  });

  const idOf = ({ record }: DeadLetter) => (record as StreamedRecord).id;
  const rows = (columns: string) => database.query(`select ${columns} from calls order by id`);

  test('deletes what is old, but nothing that is not decided, and the totals of counters that are forgotten', async () => {
    const now = Date.parse('2026-11-25T12:00:00Z');
    const day = 86_400_000;
    const ended = (days: number) => ({ record: { timestamp: new Date(now - days * day).toISOString() } });
    await call(ledger, `${name}-aged`, 'acme', ended(60));
    await call(ledger, `${name}-recent`, 'acme', ended(20));
    await call(ledger, `${name}-undecided`, 'acme', { ...ended(60), presumedNano: 7n });
    await log.drain();
    await database.query(`update calls set time = time - interval '60 days' where state = 'presumed'`);
    await database.query(
      `insert into refusals values ('2026-09-01T00:00:00Z', 'payments/checkout', 'api', '', 'NoBudget', 3)`,
    );
    await database.query(`insert into totals values ('forgotten', ${now - 2 * day}, 1, 0, 1)`);
    const totals = () => database.query('select counter, spent_nano::text as spent from totals order by counter');
    const [, ...kept] = await totals();

    expect(await log.deleteOld(now, null)).toBe(false);
    expect(await totals()).toEqual(kept);
    expect(await rows('id')).toHaveLength(4);
    expect(await log.deleteOld(now, 31 * day)).toBe(false);
    expect(await rows('id')).toEqual([{ id: `${name}-recent` }, { id: `${name}-undecided/rest` }]);
    expect(await database.query('select * from refusals')).toEqual([]);
    expect(await totals()).toEqual(kept);

    // What was kept undecided is counted once, when it is decided.
    await ledger.operator.resolvePresumed([`${name}-undecided`], 'Book');
    await log.drain();
    const spent = kept.map((row) => BigInt((row as { spent: string }).spent) + 7n);
    expect((await totals()).map((row) => BigInt((row as { spent: string }).spent))).toEqual(spent);
    expect(await rows('id, state')).toEqual([
      { id: `${name}-recent`, state: 'final' },
      { id: `${name}-undecided/rest`, state: 'booked' },
    ]);
  });

  test('has a row of a call, with every column that the table in the code has', async () => {
    const more = {
      session: 's-1',
      error_type: null,
      first_byte_ms: 412,
      speed: 'fast',
      policy_version: 1_795_600_000_123,
    };
    await call(ledger, `${name}-1`, 'acme', { costNano: 9_007_199_254_740_993n, record: more });
    await log.drain();
    const [row] = await database.query<Record<string, unknown>>(
      `select *, cost_nano::text as cost, worst_nano::text as worst, policy_version::text as version from calls`,
    );
    expect(row).toMatchObject({
      id: `${name}-1`,
      state: 'final',
      workspace: 'payments/checkout',
      customer: 'acme',
      end_user: 'ada',
      department: null,
      tags: { env: 'prod' },
      model: 'claude-sonnet-5-5',
      asked_model: 'claude-opus-5-5',
      input_tokens: 812,
      cost: '9007199254740993',
      worst: '1000000',
      version: '1795600000123',
      estimated: false,
      session: 's-1',
      first_byte_ms: 412,
      details: { speed: 'fast' },
    });
    expect(row?.['time']).toEqual(new Date('2026-11-25T10:00:00.000Z'));
    const declared = await database.query<{ name: string; type: string }>(
      `select column_name as name, udt_name as type from information_schema.columns
       where table_name = 'calls' order by ordinal_position`,
    );
    const short: Record<string, string> = { integer: 'int4', bigint: 'int8', boolean: 'bool' };
    expect(declared).toEqual(callColumns.map(({ name, sqlType }) => ({ name, type: short[sqlType] ?? sqlType })));
    expect((await ledger.operator.state()).streamLength).toBe(0);
  });

  test('answers every question of the how-to and of the runbooks', async () => {
    await call(ledger, `${name}-asked`, 'acme');
    await log.drain();
    const docs = join(import.meta.dirname, '../../../docs');
    const runbooks = globSync('runbooks/**/*.md', { cwd: docs });
    const pages = ['how-to/query-the-log.md', ...runbooks].map((name) => readFileSync(join(docs, name), 'utf8'));
    const fenced = pages.flatMap((page) => [...page.matchAll(/```sql\n(.*?)```/gs)]);
    const queries = fenced.map(([, sql]) => sql!.trim().replace(/;$/, ''));
    expect(queries.length).toBeGreaterThan(14);
    for (const sql of queries) await expect(database.query(sql)).resolves.toBeDefined();
  });

  test('ranks who spent most since an instant, by name and by the share of the first tenth', async () => {
    const at = (timestamp: string) => ({ timestamp, user: '' });
    for (let i = 1; i <= 11; i += 1) {
      const record = { ...at('2026-11-25T10:00:00.000Z'), customer: `c-${i}` };
      await call(ledger, `${name}-ranked-${i}`, 'acme', { costNano: BigInt(i), record });
    }
    const old = { ...at('2026-11-24T09:59:59.000Z'), customer: 'c-1' };
    await call(ledger, `${name}-ranked-old`, 'acme', { costNano: 1_000n, record: old });
    const nobody = { ...at('2026-11-25T10:00:00.000Z'), customer: null };
    await call(ledger, `${name}-ranked-nobody`, 'acme', { costNano: 500n, record: nobody });
    await log.drain();
    expect(await log.spenders('customer', Date.parse('2026-11-24T10:00:00Z'), 2)).toEqual({
      count: 11,
      totalNano: 66n,
      tenthNano: 21n,
      top: [
        { name: 'c-11', spentNano: 11n },
        { name: 'c-10', spentNano: 10n },
      ],
    });
    expect(await log.spenders('user', 0, 2)).toEqual({ count: 0, totalNano: 0n, tenthNano: 0n, top: [] });
  });

  test('lets totals follow what becomes known of a call', async () => {
    const totals = async () => {
      await log.drain();
      const all = await log.totals(Date.now());
      return counters('acme').map((counter) => {
        const { spentNano, presumedNano, requests } = all.find((each) => each.counter === counter)!;
        return { spentNano, presumedNano, requests };
      });
    };
    const thrice = (total: object) => [total, total, total];
    const id = `${name}-swept`;
    await call(ledger, `${name}-exact`, 'acme', { costNano: 600n });
    await reserve(ledger, id, 'acme');
    await ledger.gateway.settleUnchecked({ reservation: reservationOf(id, 'acme'), settlement: null });
    expect(await totals()).toEqual(thrice({ spentNano: 600n, presumedNano: 1_000_000n, requests: 1 }));
    await ledger.operator.resolvePresumed([id], 'Book');
    expect(await totals()).toEqual(thrice({ spentNano: 1_000_600n, presumedNano: 0n, requests: 1 }));
    await ledger.gateway.settle({ id, costNano: 70n, presumedNano: 30n, record: recordOf(id, 'acme', 70n) });
    expect(await totals()).toEqual(thrice({ spentNano: 670n, presumedNano: 30n, requests: 2 }));
    await ledger.operator.resolvePresumed([id], 'Release');
    expect(await totals()).toEqual(thrice({ spentNano: 670n, presumedNano: 0n, requests: 2 }));
    expect(await rows('id, state, cost_nano::text as cost')).toEqual([
      { id: `${name}-exact`, state: 'final', cost: '600' },
      { id, state: 'final', cost: '70' },
      { id: `${id}/rest`, state: 'released', cost: '0' },
    ]);
    expect(await log.totals(Date.now() + 30 * 24 * 3_600_000)).toEqual([]);
  });

  test('takes back what was booked for a call of which its gateway comes to say that it cost nothing', async () => {
    const id = `${name}-unsent`;
    await reserve(ledger, id, 'unsent');
    await ledger.gateway.settleUnchecked({ reservation: reservationOf(id, 'unsent'), settlement: null });
    await ledger.operator.resolvePresumed([id], 'Book');
    await log.drain();
    expect(await ledger.gateway.release(id)).toBe('corrected');
    await log.drain();
    const [, , own] = counters('unsent');
    const total = (await log.totals(Date.now())).find(({ counter }) => counter === own);
    expect(total).toMatchObject({ spentNano: 0n, presumedNano: 0n, requests: 0 });
    expect(await rows('state, cost_nano::text as cost')).toEqual([{ state: 'released', cost: '0' }]);
  });

  test('knows what a batch holds and whose it is, while it runs and for 30 days after it was begun', async () => {
    const adopted = async (id: string) => {
      await reserve(ledger, id, 'acme');
      const adoption = { id, batch: `msgbatch_${id}`, workspace: 'payments/checkout', meta: '{"a":"\\u0000"}' };
      await ledger.gateway.openBatch(adoption);
      return adoption;
    };
    const [open, ended, dearer] = [
      await adopted(`${name}-open`),
      await adopted(`${name}-ended`),
      await adopted(`${name}-dearer`),
    ];
    const book = (of: typeof open, from: number, costs: readonly bigint[]) => {
      const lines = costs.map((costNano, index) => {
        const id = `${of.id}/batch/${from + index}`;
        return { costNano, record: recordOf(id, 'acme', costNano, { batch: of.batch }) };
      });
      return ledger.operator.settleBatchLines({ batch: of.batch, from, lines });
    };
    await book(open, 0, [300n, 40n]);
    await book(ended, 0, [5n]);
    await ledger.operator.closeBatch(ended.batch);
    await book(dearer, 0, [2_000_000n]);
    await log.drain();
    await book(open, 2, [1n]);
    await log.drain();

    const now = Date.now();
    const kept = new Map((await log.batches(now)).map((one) => [one.batch, one]));
    const held = { settled: false, counters: expect.arrayContaining(counters('acme')) };
    expect(kept.get(open.batch)).toMatchObject({ ...open, ...held, settledLines: 3, reservedNano: 999_659n });
    expect(kept.get(dearer.batch)).toMatchObject({ ...dearer, ...held, settledLines: 1, reservedNano: 0n });
    expect(kept.get(ended.batch)).toMatchObject({ ...ended, settled: true, reservedNano: 0n });
    expect(kept.get(open.batch)!.keepUntil).toBeGreaterThan(now);
    const later = await log.batches(now + 31 * 24 * 3_600_000);
    expect(later.map(({ batch }) => batch).toSorted()).toEqual([dearer.batch, open.batch].toSorted());
    // What they hold they hold themselves once they are put back.
    expect(await log.totals(now)).toEqual(
      counters('acme').map(() => expect.objectContaining({ presumedNano: 0n, spentNano: 2_000_346n, requests: 5 })),
    );
    for (const { batch } of [open, dearer]) await ledger.operator.closeBatch(batch);
    await log.drain();
  });

  test('loses nothing of a record that Postgres cannot take', async () => {
    await call(ledger, `${name}-a`, 'acme', { record: { feature: 'nul\0byte', department: 'half \u{D83D}' } });
    await call(ledger, `${name}-b`, 'acme', { record: { input_tokens: 'many', output_tokens: 5 } });
    await call(ledger, `${name}-c`, 'acme', { record: { cost_nano: 'much' } });
    const client = new Client(redis.url);
    await client.xadd('{tollgate:log}:usage', '*', 'record', '{"id":');
    client.disconnect();
    await log.drain();
    expect(await rows('id, feature, department, input_tokens, output_tokens')).toEqual([
      {
        id: `${name}-a`,
        feature: 'nul\u{FFFD}byte',
        department: 'half \u{FFFD}',
        input_tokens: 812,
        output_tokens: 640,
      },
      { id: `${name}-b`, feature: 'checkout', department: null, input_tokens: null, output_tokens: 5 },
    ]);
    const posted = await database.query<{ problem: string; record: string }>(
      'select problem, record from dead_letters order by entry',
    );
    expect(posted.map(({ problem }) => problem)).toEqual([
      expect.stringContaining('input_tokens: '),
      expect.stringContaining('"much" is no amount'),
      expect.stringContaining('no usable id'),
    ]);
    expect((JSON.parse(posted[1]!.record) as StreamedRecord).cost_nano).toBe('much');
    expect(deadLetters.map(idOf)).toEqual([`${name}-b`, `${name}-c`, undefined]);
    expect((await ledger.operator.state()).streamLength).toBe(0);
  });

  test('is not held up by a row that the database refuses, and counts its money', async () => {
    await database.query(`alter table calls add constraint cursed check (model <> 'cursed')`);
    for (let i = 0; i < 20; i++) {
      await call(ledger, `${name}-of-${i}`, 'acme', { record: { model: i % 7 === 3 ? 'cursed' : 'claude-haiku-5-5' } });
    }
    await log.drain();
    await database.query('alter table calls drop constraint cursed');
    const [counted] = await database.query('select count(*)::int as rows, count(model)::int as whole from calls');
    expect(counted).toEqual({ rows: 20, whole: 17 });
    expect(deadLetters.map(idOf)).toEqual([`${name}-of-3`, `${name}-of-10`, `${name}-of-17`]);
    const [total] = await log.totals(Date.now());
    expect(total).toMatchObject({ spentNano: 20_000n, requests: 20 });
  });

  test('sets a row of refusals aside that nobody can read or count, and goes on', async () => {
    const row = { minute: 0, workspace: 'payments/checkout', key: 'api', budget: '', reason: 'BudgetSpent', count: 3 };
    const client = new Client(redis.url);
    const bad = ['{"minute":', 'null', '{"minute":0,"count":1}', JSON.stringify({ ...row, count: 'many' })];
    await ledger.gateway.appendRefusals([row]);
    for (const text of bad) await client.xadd('{tollgate:log}:refusals', '*', 'row', text);
    client.disconnect();
    await ledger.gateway.appendRefusals([
      { ...row, key: randomBytes(4_500).toString('hex') },
      { ...row, count: 4 },
    ]);
    const refusals = await ledger.operator.readRefusals(10);
    await log.drain();
    expect(await ledger.operator.readRefusals(10)).toEqual([]);
    expect(await database.query('select key, count::int from refusals')).toEqual([{ key: 'api', count: 7 }]);
    const kept = await database.query<{ entry: string; record: string }>(
      'select entry, record from dead_letters order by entry',
    );
    expect(kept.map(({ entry }) => entry)).toEqual(refusals.slice(1, -1).map(({ entry }) => `${entry}/refusals`));
    expect(JSON.parse(kept[0]!.record)).toEqual({ unreadable: bad[0] });
    expect(deadLetters).toHaveLength(5);
    // Another operator that was about to take the same ones takes nothing twice.
    const late = new UsageLog({
      open: async () => ({ ...database, close: async () => {} }),
      ledger: {
        readUsage: async () => [],
        deleteUsage: async () => {},
        readRefusals: async () => refusals,
        deleteRefusals: async () => {},
      },
      onDeadLetters: (more) => deadLetters.push(...more),
    });
    await late.ingest();
    expect(await database.query('select key, count::int from refusals')).toEqual([{ key: 'api', count: 7 }]);
    expect(deadLetters).toHaveLength(5);
  });

  test('adds up refusals by the minute, and none twice', async () => {
    const minute = Date.parse('2026-11-25T10:03:00Z');
    const row = { minute, workspace: 'payments/checkout', key: 'api', budget: '', reason: 'BudgetSpent', count: 3 };
    await ledger.gateway.appendRefusals([row, { ...row, count: 4 }, { ...row, key: 'other\0', count: 1 }]);
    const [first, ...rest] = await ledger.operator.readRefusals(10);
    expect(rest).toHaveLength(2);
    await log.drain();
    await ledger.gateway.appendRefusals([{ ...row, count: 10 }]);
    // The process ended after the rows were written and before they left the stream.
    const again = {
      readRefusals: async () => [first!, ...(await ledger.operator.readRefusals(10))],
      deleteRefusals: async () => {},
    };
    const interrupted = new UsageLog({
      open: async () => ({ ...database, close: async () => {} }),
      ledger: {
        readUsage: () => ledger.operator.readUsage(10),
        deleteUsage: (entries) => ledger.operator.deleteUsage(entries),
        ...again,
      },
    });
    await interrupted.drain();
    await log.drain();
    expect(
      await database.query('select minute, workspace, key, budget, reason, count::int from refusals order by key'),
    ).toEqual([
      { ...row, minute: new Date(minute), count: 17 },
      { ...row, minute: new Date(minute), key: 'other\u{FFFD}', count: 1 },
    ]);
    expect(await ledger.operator.readRefusals(10)).toEqual([]);
  });
});

test('several processes that start together make the tables once', async () => {
  const admin = await openDatabase({ url: postgres.url });
  await admin.query('create database fresh');
  const opened = await Promise.all(
    Array.from({ length: 6 }, () => openDatabase({ url: postgres.url.replace(/postgres$/, 'fresh') })),
  );
  await Promise.all(opened.map((each) => migrate(each)));
  await migrate(opened[0]!);
  expect(await opened[0]!.query('select name from migrations')).toEqual([
    { name: '0001-log' },
    { name: '0002-batches' },
  ]);
  await Promise.all([admin, ...opened].map((each) => each.close()));
});

test('a folder that another process has open is left alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-log-'));
  const first = await openDatabase({ folder });
  await expect(openDatabase({ folder })).rejects.toThrow(LogUnreachable);
  await first.close();
  const second = await openDatabase({ folder });
  expect(await second.query('select 1 as one')).toEqual([{ one: 1 }]);
  await second.close();
  rmSync(folder, { recursive: true });
});

test('a connection that breaks between two steps of a transaction ends that transaction and nothing else', async () => {
  const database = await openDatabase({ url: postgres.url });
  const broken = database.transaction(async (query) => {
    const [own] = await query<{ pid: number }>('select pg_backend_pid() as pid');
    await database.query(`select pg_terminate_backend(${own!.pid})`);
    await setTimeout(100); // nobody asks while it breaks
    await query('select 1');
  });
  await expect(broken).rejects.toThrow(LogUnreachable);
  expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
  await database.close();
});

test('a log that could not be opened, for whatever reason, is opened when it is asked again', async () => {
  const ledger = await connectCalls(redis.url, 'opened-again');
  let tries = 0;
  const open = async () => {
    tries += 1;
    if (tries === 1) throw new Error('ENOSPC: no space left on device');
    return openDatabase({ url: postgres.url });
  };
  const log = new UsageLog({ open, ledger: ledger.operator });
  await expect(log.totals(0)).rejects.toThrow('ENOSPC');
  await expect(log.totals(0)).resolves.toBeDefined();
  await log.close();
  ledger.close();
});

describe('a database that goes away', () => {
  let own: Postgres & { directory: string };
  afterEach(async () => {
    await own.stop();
    rmSync(own.directory, { recursive: true, force: true });
  });

  test('holds the records in the stream until it is back', async () => {
    own = await startPostgres();
    const ledger = await connectCalls(redis.url, 'away');
    const log = new UsageLog({ open: () => openDatabase({ url: own.url }), ledger: ledger.operator });
    await call(ledger, 'before', 'acme');
    await log.drain();
    await own.kill();
    await call(ledger, 'meanwhile', 'acme');
    await expect(log.ingest()).rejects.toThrow(LogUnreachable);
    await expect(log.totals(0)).rejects.toThrow(LogUnreachable);
    expect(log.oldest).toBeGreaterThan(Date.now() - 60_000);
    expect((await ledger.operator.state()).streamLength).toBe(1);
    own = await startPostgres(own);
    await log.drain();
    expect(log.oldest).toBeNull();
    const database = await openDatabase({ url: own.url });
    expect(await database.query('select id from calls order by id')).toEqual([{ id: 'before' }, { id: 'meanwhile' }]);
    await Promise.all([database.close(), log.close()]);
    ledger.close();
  }, 120_000);
});

test('a Postgres in the folder that hangs is given up, and opened anew', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-log-'));
  const database = await openPGlite(folder);
  await database.query('create table kept ()');
  const endless = 'with recursive n as (select 1 union all select 1 from n) select count(*) from n';
  const begun = Promise.withResolvers<void>();
  const hanging = database.transaction((query) => {
    jest.useFakeTimers();
    begun.resolve();
    return query(endless);
  });
  const failed = hanging.catch((error: unknown) => error);
  await begun.promise;
  jest.advanceTimersByTime(300_000);
  jest.useRealTimers();
  expect(await failed).toBeInstanceOf(LogUnreachable);
  await expect(database.query('select 1')).rejects.toThrow(LogUnreachable);
  await database.close();
  const anew = await openPGlite(folder);
  expect(await anew.query('select * from kept')).toEqual([]);
  await anew.close();
  rmSync(folder, { recursive: true });
}, 120_000);

test('a stream that does not end holds nobody up who waits for all of it', async () => {
  const query = async () => [];
  const database: Database = { query, transaction: (work) => work(query), close: async () => {} };
  const ledger = { deleteUsage: async () => {}, readRefusals: async () => [], deleteRefusals: async () => {} };
  const entries = [{ entry: '1-0', record: {}, counters: [], keepUntil: 0 }];
  const logOf = (readUsage: () => Promise<StreamEntry[]>) =>
    new UsageLog({ open: async () => database, ledger: { ...ledger, readUsage } });
  expect(await logOf(() => setTimeout(0, entries)).drain()).toBe(false);
  expect(await logOf(async () => entries.splice(0)).drain()).toBe(true);
});
