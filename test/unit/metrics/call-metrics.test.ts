import { describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { LogUnreachable } from '../../../log/database/database.ts';
import type { SpenderRanking } from '../../../log/top-spenders.ts';
import { type Spender, CallMetrics } from '../../../metrics/call-metrics.ts';
import { Metrics as OperatorMetrics } from '../../../operator/metrics/metrics.ts';
import { type SpenderTotals, TopSpenders } from '../../../operator/metrics/top-spenders.ts';
import { callRecord } from '../../support/usage-records.ts';

const spender: Spender = {
  workspace: 'payments/checkout',
  feature: 'chat',
  department: 'sales',
  user: 'ada',
  model: 'claude-sonnet-5-5',
};
const billed = { costNano: 1_000_000_000n, tokens: null, cache: null };

describe('labels that callers choose', () => {
  test('are bounded for each workspace and for all of them, and lose no money', async () => {
    const registry = new Registry();
    const metrics = new CallMetrics(registry, 0);
    const many = (workspace: string, count: number) => {
      for (let i = 0; i < count; i += 1) metrics.countBilled({ ...spender, workspace, feature: `f-${i}` }, billed);
    };
    many('a/noisy', 500);
    many('b/quiet', 3);
    const { values } = await registry.getSingleMetric('tollgate_cost_usd_total')!.get();
    const of = (workspace: string) => values.filter(({ labels }) => labels['workspace'] === workspace);
    expect(of('a/noisy')).toHaveLength(101);
    expect(of('a/noisy').find(({ labels }) => labels['feature'] === 'other')).toMatchObject({
      labels: { department: 'other', model: 'claude-sonnet-5-5' },
      value: 400,
    });
    expect(of('b/quiet').map(({ labels }) => labels['feature'])).toEqual(['f-0', 'f-1', 'f-2']);
    for (let i = 0; i < 50; i += 1) many(`c/${i}`, 100);
    const all = (await registry.getSingleMetric('tollgate_cost_usd_total')!.get()).values;
    expect(all.filter(({ labels }) => labels['feature'] !== 'other')).toHaveLength(2_000);
    expect(all.reduce((sum, { value }) => sum + value, 0)).toBe(5_503);
  });

  test('name no user unless so many are asked for', async () => {
    const named = new Registry();
    const metrics = new CallMetrics(named, 2);
    for (const user of ['ada', 'bob', 'eve', '']) metrics.countBilled({ ...spender, user }, billed);
    const { values } = await named.getSingleMetric('tollgate_cost_usd_total')!.get();
    expect(values.map(({ labels }) => labels['user'])).toEqual(['ada', 'bob', 'other', '']);
    const nameless = new Registry();
    new CallMetrics(nameless, 0).countBilled(spender, billed);
    expect(await nameless.metrics()).not.toMatch(/ada|user/);
  });
});

test('a series is there at zero before its first call ends, because Prometheus counts nothing of its first value', async () => {
  const registry = new Registry();
  const metrics = new CallMetrics(registry, 0);
  expect(metrics.begin(spender)).toBe(true);
  const shown = await registry.metrics();
  expect(shown).toMatch(/^tollgate_cost_usd_total\{.*\} 0$/m);
  expect(shown).toMatch(/^tollgate_tokens_total\{.*type="cache_read"\} 0$/m);
  metrics.countBilled(spender, billed);
  expect(metrics.begin(spender)).toBe(false);
  expect(await registry.metrics()).toMatch(/^tollgate_cost_usd_total\{.*\} 1$/m);
});

const customers: SpenderRanking = {
  count: 2,
  totalNano: 150_000_000_000n,
  tenthNano: 120_000_000_000n,
  top: [
    { name: 'acme', spentNano: 120_000_000_000n },
    { name: 'globex', spentNano: 30_000_000_000n },
  ],
};

function operatorMetrics(totals: SpenderTotals | null, namedCustomers: number): OperatorMetrics {
  const metrics = new OperatorMetrics({ namedUsers: 0, namedCustomers });
  metrics.observe({
    isLeader: () => true,
    queues: {},
    budgets: () => [],
    workspaces: () => [],
    isPriceBookInvalid: () => false,
    isLedgerLost: () => false,
    isLedgerRecovering: () => false,
    streamLength: () => 0,
    streamLimit: 1,
    lagSeconds: () => 0,
    batches: () => ({ open: 0, oldestSeconds: 0 }),
    topSpenders: () => totals,
  });
  return metrics;
}

describe('the operator', () => {
  test('says what customers cost without their names, unless so many may be named', async () => {
    const nameless = await operatorMetrics({ customers, users: null }, 0).registry.metrics();
    expect(nameless).toContain('\ntollgate_top_customer_usd 120\n');
    expect(nameless).toContain('\ntollgate_top_customers_ratio 0.8\n');
    expect(nameless).toContain('\ntollgate_customers 2\n');
    expect(nameless).not.toMatch(/acme|globex/);
    const named = await operatorMetrics({ customers, users: null }, 1).registry.metrics();
    expect(named).toContain('tollgate_customer_usd{customer="acme"} 120');
    expect(named).not.toMatch(/globex/);
    expect(await operatorMetrics(null, 1).registry.metrics()).not.toMatch(/^tollgate_(customers|top)/m);
  });

  test('counts the lines of batches under the names under which gateways count calls', async () => {
    const metrics = operatorMetrics(null, 0);
    const { workspace, feature, department } = spender;
    const tokens = { input: 7, output: 3, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };
    const cache = { savedNano: 0n, surchargeNano: 0n };
    const record = callRecord({ workspace, feature, department });
    metrics.countBatchLines([{ ...billed, tokens, cache, record, model: 'claude-sonnet-5-5' }]);
    const text = await metrics.registry.metrics();
    const labels = 'workspace="payments/checkout",feature="chat",department="sales",model="claude-sonnet-5-5"';
    expect(text).toContain(`tollgate_cost_usd_total{${labels}} 1`);
    expect(text).toContain(`tollgate_tokens_total{${labels},type="input"} 7`);
    expect(text).toContain(`tollgate_calls_total{${labels},ending="Batched"} 1`);
  });

  test('asks the log about the last day, for users only where they may be named, and rarely where that takes long', async () => {
    const clock = () => Date.parse('2026-11-25T10:00:00Z');
    let elapsed = 0;
    const asked: string[] = [];
    const log = {
      spenders: async (kind: string, since: number) => {
        asked.push(`${kind} since ${new Date(since).toISOString()}`);
        elapsed += 5_000;
        return customers;
      },
    };
    const spenders = new TopSpenders({ log, settings: { namedUsers: 0 }, clock, elapsed: () => elapsed });
    expect(await spenders.refresh()).toBe(15_000);
    expect(spenders.totals).toEqual({ customers, users: null });
    expect(await spenders.refresh()).toBe(100_000);
    const curious = new TopSpenders({ log, settings: { namedUsers: 1 }, clock, elapsed: () => elapsed });
    await curious.refresh();
    expect(await curious.refresh()).toBe(200_000);
    const since = '2026-11-24T10:00:00.000Z';
    const [customer, user] = [`customer since ${since}`, `user since ${since}`];
    expect(asked).toEqual([customer, customer, customer, user, customer, user]);
  });

  test('knows nothing of customers while the database is away', async () => {
    const log = { spenders: () => Promise.reject(new LogUnreachable('away')) };
    const spenders = new TopSpenders({ log, settings: { namedUsers: 0 }, clock: () => 0, elapsed: () => 0 });
    expect(await spenders.refresh()).toBe(15_000);
    expect(spenders.totals).toBeNull();
  });
});
