import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { Installation } from '../../../bench/installation.ts';
import { rows } from '../../../hack/dashboard/rows.ts';
import { chart, helm } from '../../../hack/generate/helm.ts';
import { type Prometheus, startPrometheus } from '../../support/prometheus.ts';
import { until } from '../../support/until.ts';
import { message } from '../gateway/harness.ts';
import { metricsIn, renderRules } from './rules.ts';

const reference = readFileSync(join(import.meta.dirname, '../../../docs/reference/metrics.md'), 'utf8');
const directory = mkdtempSync(join(tmpdir(), 'tollgate-dashboard-'));
let installation: Installation;
let prometheus: Prometheus;
let apiKey: string;

beforeAll(async () => {
  installation = await Installation.start(1, { directory, settings: { namedUsers: 10, namedCustomers: 5 } });
  await installation.apply(teams(installation.upstream));
  await installation.kubectl('wait', '--for=condition=Programmed', '--timeout=60s', '-n', 'payments', 'cb', '--all');
  const secret = await installation.kubectl('get', 'secret', 'checkout-claude', '-n', 'payments', '-o', 'json');
  const { data } = JSON.parse(secret) as { data: { ANTHROPIC_API_KEY: string } };
  apiKey = Buffer.from(data.ANTHROPIC_API_KEY, 'base64').toString();
  const targets = [...installation.gateways, ...installation.operators].map((url) => new URL(url).host);
  prometheus = await startPrometheus(join(directory, 'prometheus'), targets, renderRules());
});

afterAll(async () => {
  await prometheus?.stop();
  await Installation.stop(directory);
  rmSync(directory, { recursive: true, force: true });
});

/** A team with money, with a feature that has it for two calls, and a workspace that has none. */
const teams = (upstream: string): string => `
apiVersion: v1
kind: Namespace
metadata: { name: payments }
---
apiVersion: v1
kind: Secret
metadata: { name: anthropic, namespace: payments }
type: tollgate.dev/upstream-key
stringData: { api-key: sk-ant-dashboard }
---
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeWorkspace
metadata: { name: checkout, namespace: payments }
spec:
  upstream: { baseURL: '${upstream}', apiKeySecretRef: { name: anthropic } }
  attributes: { department: sales }
  keys: [{ name: api, secretName: checkout-claude }]
  headers: { feature: x-tollgate-feature, customer: x-tollgate-customer, user: x-tollgate-user }
---
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeWorkspace
metadata: { name: poor, namespace: payments }
spec:
  upstream: { baseURL: '${upstream}', apiKeySecretRef: { name: anthropic } }
  keys: [{ name: api, secretName: poor-claude }]
---
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeBudget
metadata: { name: daily, namespace: payments }
spec: { workspaceRef: { name: checkout }, limit: { usd: "25.00" }, period: { every: Day } }
---
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeBudget
metadata: { name: trial, namespace: payments }
spec:
  workspaceRef: { name: checkout }
  scope: { features: [trial] }
  limit: { usd: "0.0025" }
  period: { every: Day }
`;

/** One call; it may be refused or fail. */
async function call(feature: string, behaviour: object = {}): Promise<void> {
  const headers = {
    'x-api-key': apiKey,
    'anthropic-version': '2023-06-01',
    'content-type': 'application/json',
    'x-tollgate-feature': feature,
    'x-tollgate-customer': 'acme',
    'x-tollgate-user': 'ada',
    'x-stainless-stand-in': JSON.stringify(behaviour),
  };
  const answer = await fetch(`${installation.gateways[0]}/v1/messages`, { method: 'POST', headers, body: message() });
  await answer.text();
}

/** All that is worth a look happens: calls that are answered, cached, dear, refused and failed. */
async function everything(): Promise<void> {
  const cache = { cache_read_input_tokens: 5_000, cache_creation_input_tokens: 800 };
  await call('chat', { usage: { input_tokens: 20, output_tokens: 80, ...cache } });
  await call('search');
  await call('trial', { usage: { output_tokens: 100 } });
  await call('chat', { status: 529 });
}

/** What Grafana puts into a query before it sends it. */
function asSent(query: string): string {
  return query.replaceAll('$workspace', '.*').replaceAll('$__rate_interval', '15s').replaceAll('$__range', '5m');
}

const panels = rows.flatMap((row) => row.panels);
const queries = panels.flatMap(({ title, queries }) => queries.map(({ expr }) => ({ title, expr })));

test('every panel shows data of a real system, and every rule can be evaluated', async () => {
  const empty = async (): Promise<readonly string[]> => {
    const answers = await Promise.all(queries.map(({ expr }) => prometheus.query(asSent(expr))));
    return queries.filter((_, index) => answers[index]!.length === 0).map(({ title, expr }) => `${title}: ${expr}`);
  };
  let lacking: readonly string[] = [];
  const shown = async (): Promise<boolean> => {
    await everything();
    lacking = await empty();
    return lacking.length === 0;
  };
  await until(shown, 90_000).catch(() => undefined);
  expect(lacking).toEqual([]);

  const { groups } = (await prometheus.get('rules')) as {
    groups: readonly { rules: readonly { name: string; health: string; lastError?: string }[] }[];
  };
  const judged = groups.flatMap(({ rules }) => rules);
  expect(judged.length).toBeGreaterThan(40);
  expect(judged.filter(({ lastError }) => lastError !== undefined)).toEqual([]);
  await until(async () => {
    const firing = await prometheus.query('ALERTS{alertname="TollgateBudgetExhausted",alertstate="firing"}');
    return firing.some(({ metric }) => metric['budget'] === 'payments/trial' && metric['namespace'] === 'payments');
  });

  const [share] = await prometheus.query(asSent('max(tollgate_top_customers_ratio)'));
  expect(share?.value[1]).toBe('1');
  const [user] = await prometheus.query('sum by (user) (tollgate_tokens_total{type="cache_read"})');
  expect(user?.metric).toEqual({ user: 'ada' });
}, 240_000);

test('every panel has a description and queries only metrics that exist', () => {
  const asked = queries.flatMap(({ expr }) => metricsIn(expr));
  expect(new Set(asked).size).toBeGreaterThan(20);
  for (const name of asked) expect(reference).toContain(`\`${name}\``);
  for (const { title, description } of panels)
    expect([title, description]).toEqual([title, expect.stringMatching(/\.$/)]);
  const marks = new Map(panels.map(({ title, mark }) => [title, mark]));
  expect(marks.get('Output tokens per input token')).toBe(2);
  expect(marks.get('Failed calls')).toBe(0.01);
  expect(marks.get('Share of the top tenth of customers')).toBe(0.5);
});

test('the chart puts the dashboard into a ConfigMap that the sidecar of Grafana finds', () => {
  const template = ['--show-only', 'templates/monitoring/dashboard.yaml', '--set', 'metrics.dashboard.enabled=true'];
  const { metadata, data } = parse(helm(['template', 'tollgate', chart, ...template])) as {
    metadata: { labels: Record<string, string> };
    data: { 'tollgate.json': string };
  };
  expect(metadata.labels['grafana_dashboard']).toBe('1');
  const { uid, panels: drawn } = JSON.parse(data['tollgate.json']) as {
    uid: string;
    panels: readonly { id: number; type: string; gridPos: { x: number; w: number } }[];
  };
  expect(uid).toBe('tollgate');
  expect(drawn.filter(({ type }) => type !== 'row')).toHaveLength(panels.length);
  expect(new Set(drawn.map(({ id }) => id)).size).toBe(drawn.length);
  for (const { gridPos } of drawn) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
});
