import { describe, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';
import { type Spender, CallMetrics } from '../../../metrics/call-metrics.ts';
import { nano } from '../../../policy/core/money.ts';

const spender: Spender = {
  workspace: 'payments/checkout',
  feature: 'chat',
  department: 'sales',
  user: 'ada',
  model: 'claude-sonnet-5-5',
};
const billed = { costNano: nano(1_000_000_000n), tokens: null, cache: null };

describe('labels that callers choose', () => {
  test('are limited for each workspace and in total, and no money is lost', async () => {
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

  test('name users only up to the limit of the setting', async () => {
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

test('a series exists at zero before its first call ends, because Prometheus ignores the first value of a series', async () => {
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
