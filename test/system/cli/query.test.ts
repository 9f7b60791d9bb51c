/** `tollgate query` on a log in Postgres and in a folder, beside the process that writes it and without one. */

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { migrate } from '../../../log/database/migrate.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { readLog } from '../../../log/database/read-log.ts';
import { questions } from '../../../log/questions.ts';
import { nano } from '../../../policy/core/money.ts';
import { call } from '../../support/ledger-calls.ts';
import { describeLog, startServices } from '../../unit/log/log-fixture.ts';

const program = join(import.meta.dirname, '../../../bin/tollgate.ts');
const services = startServices();

function query(env: Readonly<Record<string, string>>, ...args: string[]) {
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, [program, 'query', ...args], { env, timeout: 100_000 }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

describeLog(services, (fixture) => {
  const env = (): Record<string, string> => {
    const { place } = fixture();
    return 'url' in place ? { TOLLGATE_DATABASE_URL: place.url } : { TOLLGATE_USAGE_LOG_FOLDER: place.folder };
  };

  test('answers each question, and a SELECT, while the log is open', async () => {
    const { name, place, ledger, log } = fixture();
    const record = { timestamp: new Date().toISOString(), feature: 'chat' };
    await call(ledger, `${name}-cheap`, 'acme', { costNano: nano(1_000_000n), record });
    await call(ledger, `${name}-expensive`, 'acme', { costNano: nano(2_500_000_000n), record });
    await log.drain();

    const { stdout: table } = await query(env(), 'features');
    expect(table).toMatch(/^FEATURE +CALLS +INPUT +CACHED +OUTPUT +USD\nchat +2 .* 2\.501\n$/);
    const calls = JSON.parse((await query(env(), 'calls', '--limit', '1', '-o', 'json')).stdout) as unknown[];
    expect(calls).toEqual([expect.objectContaining({ id: `${name}-expensive`, usd: '2.5' })]);
    const { stdout: counted } = await query(env(), 'select count(*)::int as calls from calls;');
    expect(counted).toBe('CALLS\n2\n');
    for (const { sql } of Object.values(questions)) {
      expect(await readLog(place, sql({ seconds: 3_600 }, 5))).toBeInstanceOf(Array);
    }
  });

  test('narrows a question to a namespace or a workspace', async () => {
    const { name, ledger, log } = fixture();
    const at = (workspace: string) => ({ timestamp: new Date().toISOString(), workspace, feature: workspace });
    const places = ['payments/checkout', 'payments/search', 'payments-2/checkout'];
    for (const place of places)
      await call(ledger, `${name}-${place}`, 'acme', { costNano: nano(1n), record: at(place) });
    await log.drain();
    const found = async (...args: string[]) => {
      const { stdout } = await query(env(), 'features', '-o', 'json', ...args);
      return (JSON.parse(stdout) as { feature: string }[]).map(({ feature }) => feature).toSorted();
    };
    expect(await found('--namespace', 'payments')).toEqual(['payments/checkout', 'payments/search']);
    expect(await found('--workspace', 'checkout')).toEqual(['payments-2/checkout', 'payments/checkout']);
    expect(await found('--workspace', 'payments/checkout')).toEqual(['payments/checkout']);
    expect(await found('-n', 'payments', '--workspace', 'checkout')).toEqual(['payments/checkout']);
    expect(JSON.parse((await query(env(), 'refusals', '-n', 'payments', '-o', 'json')).stdout)).toEqual([]);
  });

  test('prints exact amounts without the zeros that a division leaves, and text as it is', async () => {
    const sql = `select 498405000 / 1e9 as usd, 2e9 / 1e9 as whole, 0 / 1e9 as none, 100::numeric as hundred, '1.50' as text`;
    const row = { usd: '0.498405', whole: '2', none: '0', hundred: '100', text: '1.50' };
    expect(JSON.parse((await query(env(), sql, '-o', 'json')).stdout)).toEqual([row]);
  });

  test.each([
    ['delete from calls', 'write a SELECT: the log is only read'],
    ['with d as (delete from calls returning id) table d', 'cannot execute SELECT in a read-only transaction'],
    ['select 1; delete from calls', 'write one statement, without a semicolon in it'],
    ['select nothing from calls', 'column "nothing" does not exist'],
  ])('does not write, and says what is wrong: %s', async (sql, problem) => {
    expect(await query(env(), sql)).toEqual({ status: 2, stdout: '', stderr: `tollgate query: ${problem}\n` });
  });
});

test('a folder is answered for whoever may read it alone, and read when nobody has it open', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-query-'));
  const env = { TOLLGATE_USAGE_LOG_FOLDER: folder };
  expect((await query(env)).stderr).toBe(`tollgate query: there is no usage log in ${folder}\n`);
  const database = await openDatabase({ folder });
  await migrate(database);
  expect(statSync(`${folder}.sock`).mode & 0o777).toBe(0o600);
  expect(await query(env)).toEqual({ status: 0, stdout: 'No rows.\n', stderr: '' });
  await database.close();
  expect(await query(env)).toEqual({ status: 0, stdout: 'No rows.\n', stderr: '' });
  rmSync(folder, { recursive: true });
});

test.each([
  [['teams'], 'There is no question "teams": ask workspaces, features,'],
  [['--since', 'yesterday'], '--since must be a number with s, m, h or d, such as 7d, not "yesterday".'],
  [['--limit', '0'], '--limit must be a whole number from 1, not "0".'],
  [['-n', "a' or true --"], '--namespace must be a name of Kubernetes, such as payments, not "a\' or true --".'],
  [['--workspace', 'a/b/c'], '--workspace must be a name or namespace/name, not "a/b/c".'],
  [['-n', 'payments', '--workspace', 'search/web'], '--workspace search/web is not in --namespace payments.'],
  [['select 1', '-n', 'payments'], '--namespace is for questions; write it into the SELECT.'],
  [['select', '1'], 'Ask one question; put SQL in quotes.'],
  [[], 'write either TOLLGATE_DATABASE_URL or TOLLGATE_USAGE_LOG_FOLDER (after make up: . .run/env).'],
])('what was asked wrongly is said: %j', async (args, problem) => {
  const { status, stderr } = await query({}, ...args);
  expect([status, stderr]).toEqual([2, expect.stringContaining(problem)]);
});
