import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { helm, kubectl } from '../../../hack/cluster/node.ts';
import { until } from '../../support/until.ts';
import { podOf } from './pods.ts';
import { CHART, NAMESPACE, prepareNamespace, release } from './release.ts';
import { UPSTREAM, startStandIn } from './stand-in.ts';

const example = join(import.meta.dirname, '../../../examples/first-budget.yaml');
/** 25 tokens in at $1 and 60,000 out at $5 for a million. */
const CALL_USD = 0.300_025;

beforeAll(async () => {
  await release.uninstall();
  await kubectl(['delete', 'namespace', NAMESPACE, 'first', '--ignore-not-found']);
  await prepareNamespace();
  await startStandIn();
}, 300_000);

test('after one helm install the first example is enforced: a Pod with the Secret spends, kubectl shows it, and further calls are refused', async () => {
  const begun = performance.now();
  await release.apply();
  console.info(`helm install --wait: ${seconds(begun)}`);
  await kubectl(['apply', '-f', '-'], {
    input: readFileSync(example, 'utf8').replace('upstream: {', `upstream: { baseURL: ${UPSTREAM},`),
  });
  await kubectl(['wait', '-n', 'first', 'cw/first', 'cb/first', '--for=condition=Ready', '--timeout=60s']);
  await kubectl(['wait', '-n', 'first', 'cb/first', '--for=condition=Programmed', '--timeout=60s']);
  console.info(`and its first budget enforced by every gateway: ${seconds(begun)}`);

  const pod = podOf({ namespace: 'first', name: 'app', args: ['test/system/e2e/spender.ts'], secret: 'first-claude' });
  await kubectl(['apply', '-f', '-'], { input: pod });
  await kubectl(['wait', '-n', 'first', 'pod/app', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=120s']);
  console.info(`and a Pod that has spent it: ${seconds(begun)}`);
  const said = JSON.parse(await kubectl(['logs', '-n', 'first', 'app'])) as { answered: number; body: unknown };
  expect(said).toMatchObject({
    answered: 3,
    status: 429,
    body: { error: { type: 'budget_exceeded', budget: 'first/first', budget_limit: 1, current_spend: 0.9 } },
  });

  await kubectl(['wait', '-n', 'first', 'cb/first', '--for=jsonpath={.status.requests}=3', '--timeout=30s']);
  await kubectl(['wait', '-n', 'first', 'cb/first', '--for=condition=Exhausted', '--timeout=30s']);
  const columns = (await kubectl(['get', 'claudebudget', 'first', '-n', 'first', '--no-headers'])).split(/ {2,}/);
  expect(columns).toEqual(expect.arrayContaining(['first', 'Day', '1.00', (3 * CALL_USD).toFixed(6), '91%', 'Spent']));

  const query = ['exec', '-n', NAMESPACE, 'deploy/tollgate-operator', '--', 'node', 'dist/bin/tollgate.js', 'query'];
  await until(async () => /^first\/first +3 /m.test(await kubectl(query)));
}, 600_000);

test('helm test succeeds', async () => {
  const said = await helm(['test', 'tollgate', '-n', NAMESPACE, '--timeout=120s', '--logs']);
  expect(said).toMatch(/Phase:\s+Succeeded/);
  // What the doctor says is printed, although its Pod is gone by then.
  expect(said).toMatch(/^ok +Usage log +The database answers/m);
  expect(said).toContain('A call with an unknown key is answered 401');
}, 180_000);

test('a second installation is refused, and takes nothing of the first', async () => {
  const second = helm(['install', 'second', CHART, '-n', 'default', '--dry-run=server', '--take-ownership']);
  await expect(second).rejects.toThrow(`one installation serves a cluster, and release ${NAMESPACE}/tollgate exists`);
}, 60_000);

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`;
}
