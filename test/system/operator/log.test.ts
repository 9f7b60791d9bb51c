import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { scrape } from '../../../hack/run/scrape.ts';
import type { Postgres } from '../../../hack/services/postgres.ts';
import type { Database } from '../../../log/database/database.ts';
import { openDatabase } from '../../../log/database/open-database.ts';
import { nano } from '../../../policy/core/money.ts';
import { startPostgres } from '../../support/postgres.ts';
import { budget, condition, Reader, workspace } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { install, type Installation, SimulatedGateway, type Operator } from './harness.ts';

const LIMIT = 1_000;

let here: Installation;
let read: Reader;
let gateway: SimulatedGateway;
let postgres: Postgres & { directory: string };
let operator: Operator;

beforeAll(async () => {
  postgres = await startPostgres();
  here = await install({ settings: `usageStreamLimit: ${LIMIT}\n`, databaseUrl: postgres.url });
  read = new Reader(here);
  operator = await here.startOperator('operator-1');
  gateway = new SimulatedGateway(here.redis().url, 'gateway-1', read.shards);
  gateway.start();
  // An empty ledger is established only after the usage log was asked what was spent before.
  await until(async () => (await gateway.ledger.operator.state()).epoch !== null);
  await postgres.stop();
});

afterAll(async () => {
  await gateway?.stop();
  await here?.stop();
  await postgres?.stop();
  rmSync(postgres.directory, { recursive: true, force: true });
});

/** Settles calls to which no budget applies: only their records matter here. */
async function calls(from: number, to: number): Promise<void> {
  const { ledger } = gateway;
  for (let i = from; i < to; i++) {
    const [id, workspace] = [`call-${i}`, 'payments/checkout'];
    const { now } = await ledger.operator.state();
    const span = { from: 0, until: now + 60_000, checks: [] };
    const { kind } = await ledger.gateway.reserve({
      id,
      workspace,
      version: 1,
      worstNano: nano(1n),
      gapNano: nano(0n),
      ...span,
    });
    expect(kind).toBe('admitted');
    await ledger.gateway.settle({
      id,
      costNano: nano(1n),
      presumedNano: nano(0n),
      record: { id, state: 'final', cost_nano: '1', workspace },
    });
  }
}

async function metric(name: string): Promise<number> {
  const text = await scrape(`http://127.0.0.1:${operator.port}`);
  return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
}

test('while the database is down, waiting records are shown by a condition, an Event and metrics', async () => {
  const ns = await here.tenant();
  await here.apply(workspace(ns) + budget(ns));
  await condition(() => read.workspace(ns), 'Ready', 'True Ready');
  await condition(() => read.workspace(ns), 'Logged', 'True Logged');

  await calls(0, LIMIT / 2);
  await condition(() => read.workspace(ns), 'Logged', 'False LogBehind');
  await read.event(ns, 'UsageAtRisk');
  expect(await metric('tollgate_usage_stream_length')).toBe(LIMIT / 2);
  expect(await metric('tollgate_usage_stream_limit')).toBe(LIMIT);
  expect(await metric('tollgate_usage_log_lag_seconds')).toBeGreaterThan(0);
  expect(await metric('tollgate_reconcile_failures_total{reconciler="log"}')).toBeGreaterThan(0);

  postgres = await startPostgres(postgres);
  await condition(() => read.workspace(ns), 'Logged', 'True Logged');
  await read.event(ns, 'UsageLogged');
  await calls(LIMIT / 2, LIMIT / 2 + 10);
  const database = await openDatabase({ url: postgres.url });
  await until(async () => (await rows(database)) === LIMIT / 2 + 10);
  await database.close();
  await until(async () => (await metric('tollgate_usage_log_rows_total')) === LIMIT / 2 + 10);
  await until(async () => (await metric('tollgate_usage_log_lag_seconds')) === 0);
});

async function rows(database: Database): Promise<number | undefined> {
  const [count] = await database.query<{ rows: number }>('select count(*)::int as rows from calls');
  return count?.rows;
}
