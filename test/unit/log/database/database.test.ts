import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, jest, test } from '@jest/globals';
import { LogUnreachable } from '../../../../log/database/database.ts';
import { migrate } from '../../../../log/database/migrate.ts';
import { openDatabase } from '../../../../log/database/open-database.ts';
import { openPGlite } from '../../../../log/database/pglite.ts';
import { createDatabase } from '../../../support/postgres.ts';
import { startServices } from '../log-fixture.ts';

const services = startServices();

test('several processes that start together create the tables once', async () => {
  const url = await createDatabase(services().postgres.url, 'fresh');
  const opened = await Promise.all(Array.from({ length: 6 }, () => openDatabase({ url })));
  await Promise.all(opened.map((each) => migrate(each)));
  await migrate(opened[0]!);
  expect(await opened[0]!.query('select name from migrations')).toEqual([
    { name: '0001-log' },
    { name: '0002-batches' },
    { name: '0003-owners' },
    { name: '0004-sums' },
    { name: '0005-corrections' },
  ]);
  await Promise.all(opened.map((each) => each.close()));
});

test('a folder that is open already cannot be opened a second time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-log-'));
  const first = await openDatabase({ folder });
  await expect(openDatabase({ folder })).rejects.toThrow(LogUnreachable);
  await first.close();
  const second = await openDatabase({ folder });
  expect(await second.query('select 1 as one')).toEqual([{ one: 1 }]);
  await second.close();
  rmSync(folder, { recursive: true });
});

test('a connection that breaks between two statements ends only its own transaction', async () => {
  const database = await openDatabase({ url: services().postgres.url });
  const broken = database.transaction(async (query) => {
    const [own] = await query<{ pid: number }>('select pg_backend_pid() as pid');
    await database.query(`select pg_terminate_backend(${own!.pid})`);
    await setTimeout(100); // no query is under way while it breaks
    await query('select 1');
  });
  await expect(broken).rejects.toThrow(LogUnreachable);
  expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
  await database.close();
});

test('a hung PGlite is terminated and can be opened again', async () => {
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
});
