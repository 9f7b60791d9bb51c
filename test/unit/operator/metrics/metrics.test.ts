import { expect, test } from '@jest/globals';
import type { ClaudeBudget } from '../../../../crds/types.gen.ts';
import type { SpenderRanking } from '../../../../log/top-spenders.ts';
import { Metrics } from '../../../../operator/metrics/metrics.ts';
import type { SpenderTotals } from '../../../../operator/metrics/top-spenders.ts';
import { nano } from '../../../../policy/core/money.ts';
import { callRecord } from '../../../support/usage-records.ts';

const customers: SpenderRanking = {
  count: 2,
  totalNano: nano(150_000_000_000n),
  tenthNano: nano(120_000_000_000n),
  top: [
    { name: 'acme', spentNano: nano(120_000_000_000n) },
    { name: 'globex', spentNano: nano(30_000_000_000n) },
  ],
};

function metricsOf(
  totals: SpenderTotals | null,
  namedCustomers: number,
  changes: Partial<Parameters<Metrics['observe']>[0]> = {},
): Metrics {
  const metrics = new Metrics({ namedUsers: 0, namedCustomers });
  metrics.observe({
    isLeader: () => true,
    queues: {},
    budgets: () => [],
    workspaces: () => [],
    now: () => 0,
    isPriceBookInvalid: () => false,
    isLedgerLost: () => false,
    isLedgerRecovering: () => false,
    streamLength: () => 0,
    streamLimit: 1,
    lagSeconds: () => 0,
    batches: () => ({ open: 0, elsewhere: 0, oldestSeconds: 0 }),
    topSpenders: () => totals,
    ...changes,
  });
  return metrics;
}

test('customers are named only where the settings allow it', async () => {
  const nameless = await metricsOf({ customers, users: null }, 0).registry.metrics();
  expect(nameless).toContain('\ntollgate_top_customer_usd 120\n');
  expect(nameless).toContain('\ntollgate_top_customers_ratio 0.8\n');
  expect(nameless).toContain('\ntollgate_customers 2\n');
  expect(nameless).not.toMatch(/acme|globex/);
  const named = await metricsOf({ customers, users: null }, 1).registry.metrics();
  expect(named).toContain('tollgate_customer_usd{customer="acme"} 120');
  expect(named).not.toMatch(/globex/);
  expect(await metricsOf(null, 1).registry.metrics()).not.toMatch(/^tollgate_(customers|top)/m);
});

test('lines of batches are counted in the series of calls', async () => {
  const metrics = metricsOf(null, 0);
  const tokens = { input: 7, output: 3, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 };
  const cache = { savedNano: nano(0n), surchargeNano: nano(0n) };
  const record = callRecord({ workspace: 'payments/checkout', feature: 'chat', department: 'sales' });
  metrics.countBatchLines([
    { isResult: true, costNano: nano(1_000_000_000n), tokens, cache, record, model: 'claude-sonnet-5-5' },
  ]);
  const text = await metrics.registry.metrics();
  const labels = 'workspace="payments/checkout",feature="chat",department="sales",model="claude-sonnet-5-5"';
  expect(text).toContain(`tollgate_cost_usd_total{${labels}} 1`);
  expect(text).toContain(`tollgate_tokens_total{${labels},type="input"} 7`);
  expect(text).toContain(`tollgate_calls_total{${labels},ending="Batched"} 1`);
});

test('a pilot that has ended is a budget that enforces', async () => {
  const end = '2026-12-31T00:00:00Z';
  const metadata = { namespace: 'payments', name: 'pilot' };
  const budget = { metadata, spec: { mode: 'Observe', observeUntilTime: end }, status: { percentUsed: 96 } };
  const at = async (now: number) =>
    metricsOf(null, 0, { budgets: () => [budget as ClaudeBudget], now: () => now }).registry.metrics();
  expect(await at(Date.parse(end) - 1)).toContain('used_ratio{budget="payments/pilot",mode="Observe"} 0.96');
  expect(await at(Date.parse(end))).toContain('used_ratio{budget="payments/pilot",mode="Enforce"} 0.96');
});
