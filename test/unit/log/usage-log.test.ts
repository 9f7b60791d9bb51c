import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Redis as Client } from 'ioredis';
import type { Postgres } from '../../../hack/services/postgres.ts';
import type { StreamEntry } from '../../../ledger/streams.ts';
import type { DeadLetter } from '../../../log/call-row.ts';
import { LogUnreachable, type Database } from '../../../log/database/database.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { UsageLog } from '../../../log/usage-log.ts';
import { nano } from '../../../policy/core/money.ts';
import { callColumns, type StreamedRecord } from '../../../policy/core/usage-record.ts';
import { call, connectCalls, counters, recordOf, reservationOf, reserve } from '../../support/ledger-calls.ts';
import { OWNER } from '../../support/owner.ts';
import { startPostgres } from '../../support/postgres.ts';
import { describeLog, startServices } from './log-fixture.ts';

const services = startServices();

const callsIn = (database: Database, columns: string) => database.query(`select ${columns} from calls order by id`);
const idOf = ({ record }: DeadLetter) => (record as StreamedRecord).id;

describeLog(services, (fixture) => {
  test('has a row for a call, with exactly the columns of callColumns', async () => {
    const { name, database, ledger, log } = fixture();
    const more = {
      session: 's-1',
      error_type: null,
      first_byte_ms: 412,
      speed: 'fast',
      policy_version: 1_795_600_000_123,
    };
    await call(ledger, `${name}-1`, 'acme', { costNano: nano(9_007_199_254_740_993n), record: more });
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

  test('updates totals when more becomes known of a call', async () => {
    const { name, database, ledger, log } = fixture();
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
    await call(ledger, `${name}-exact`, 'acme', { costNano: nano(600n) });
    await reserve(ledger, id, 'acme');
    await ledger.gateway.settleUnchecked({ reservation: reservationOf(id, 'acme'), settlement: null });
    expect(await totals()).toEqual(thrice({ spentNano: 600n, presumedNano: 1_000_000n, requests: 1 }));
    await ledger.operator.resolvePresumed([id], 'Book');
    expect(await totals()).toEqual(thrice({ spentNano: 1_000_600n, presumedNano: 0n, requests: 1 }));
    await ledger.gateway.settle({
      id,
      costNano: nano(70n),
      presumedNano: nano(30n),
      record: recordOf(id, 'acme', 70n),
    });
    expect(await totals()).toEqual(thrice({ spentNano: 670n, presumedNano: 30n, requests: 2 }));
    await ledger.operator.resolvePresumed([id], 'Release');
    expect(await totals()).toEqual(thrice({ spentNano: 670n, presumedNano: 0n, requests: 2 }));
    expect(await callsIn(database, 'id, state, cost_nano::text as cost')).toEqual([
      { id: `${name}-exact`, state: 'final', cost: '600' },
      { id, state: 'final', cost: '70' },
      { id: `${id}/rest`, state: 'released', cost: '0' },
    ]);
    expect(await log.totals(Date.now() + 30 * 24 * 3_600_000)).toEqual([]);
  });

  test('takes back what was booked for a call that its gateway releases later', async () => {
    const { name, database, ledger, log } = fixture();
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
    expect(await callsIn(database, 'state, cost_nano::text as cost')).toEqual([{ state: 'released', cost: '0' }]);
  });

  test('loses nothing of a record that Postgres cannot take', async () => {
    const { name, database, ledger, log, deadLetters, redis } = fixture();
    await call(ledger, `${name}-a`, 'acme', { record: { feature: 'nul\0byte', department: 'half \u{D83D}' } });
    await call(ledger, `${name}-b`, 'acme', { record: { input_tokens: 'many', output_tokens: 5 } });
    await call(ledger, `${name}-c`, 'acme', { record: { cost_nano: 'much' } });
    const client = new Client(redis.url);
    await client.xadd('{tollgate:log}:usage', '*', 'record', '{"id":');
    client.disconnect();
    await log.drain();
    expect(await callsIn(database, 'id, feature, department, input_tokens, output_tokens')).toEqual([
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

  test('continues after a row that the database rejects, and counts its money', async () => {
    const { name, database, ledger, log, deadLetters } = fixture();
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

  test('makes dead letters of refusals that cannot be read or counted, and continues', async () => {
    const { database, ledger, log, deadLetters, redis } = fixture();
    const row = { minute: 0, ...OWNER, key: 'api', budget: '', reason: 'BudgetSpent', count: 3 };
    const client = new Client(redis.url);
    const bad = ['{"minute":', 'null', '{"minute":0,"count":1}', JSON.stringify({ ...row, count: 'many' })];
    await ledger.gateway.recordRefusals([row], []);
    for (const text of bad) await client.xadd('{tollgate:log}:refusals', '*', 'row', text);
    client.disconnect();
    const rows = [
      { ...row, key: randomBytes(4_500).toString('hex') },
      { ...row, count: 4 },
    ];
    await ledger.gateway.recordRefusals(rows, []);
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
    const { database, ledger, log } = fixture();
    const minute = Date.parse('2026-11-25T10:03:00Z');
    const row = { minute, ...OWNER, key: 'api', budget: '', reason: 'BudgetSpent', count: 3 };
    await ledger.gateway.recordRefusals([row, { ...row, count: 4 }, { ...row, key: 'other\0', count: 1 }], []);
    const [first, ...rest] = await ledger.operator.readRefusals(10);
    expect(rest).toHaveLength(2);
    await log.drain();
    await ledger.gateway.recordRefusals([{ ...row, count: 10 }], []);
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
      await database.query(`select minute, workspace, workspace_uid as "workspaceUid", namespace_uid as "namespaceUid",
          key, budget, reason, count::int from refusals order by key`),
    ).toEqual([
      { ...row, minute: new Date(minute), count: 17 },
      { ...row, minute: new Date(minute), key: 'other\u{FFFD}', count: 1 },
    ]);
    expect(await ledger.operator.readRefusals(10)).toEqual([]);
  });
});

test('a log that could not be opened is opened at the next call', async () => {
  const ledger = await connectCalls(services().redis.url, 'opened-again');
  let tries = 0;
  const open = async () => {
    tries += 1;
    if (tries === 1) throw new Error('ENOSPC: no space left on device');
    return openDatabase({ url: services().postgres.url });
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
    const ledger = await connectCalls(services().redis.url, 'away');
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
  });
});

test('drain returns although a stream fills as fast as it is read', async () => {
  const query = async () => [];
  const database: Database = { query, transaction: (work) => work(query), close: async () => {} };
  const ledger = { deleteUsage: async () => {}, readRefusals: async () => [], deleteRefusals: async () => {} };
  const entries = [{ entry: '1-0', record: {}, counters: [], keepUntil: 0 }];
  const logOf = (readUsage: () => Promise<StreamEntry[]>) =>
    new UsageLog({ open: async () => database, ledger: { ...ledger, readUsage } });
  expect(await logOf(() => setTimeout(0, entries)).drain()).toBe(false);
  expect(await logOf(async () => entries.splice(0)).drain()).toBe(true);
});
