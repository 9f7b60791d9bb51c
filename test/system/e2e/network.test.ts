import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { kubectl } from '../../../hack/cluster/node.ts';
import { podOf, yamlOf } from './pods.ts';
import { NAMESPACE, prepareNamespace, release } from './release.ts';
import { whole } from './workloads.ts';

const STORES = [`tollgate-redis.${NAMESPACE}.svc:6379`, `tollgate-postgres.${NAMESPACE}.svc:5432`];
const GATEWAY = `tollgate-gateway.${NAMESPACE}.svc:8080`;
const namespace = `stranger-${randomBytes(3).toString('hex')}`;

beforeAll(async () => {
  await prepareNamespace();
  await release.apply();
  await whole();
}, 300_000);

afterAll(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));

test('if the cluster enforces NetworkPolicies, other Pods reach the gateways, but neither Redis nor Postgres', async () => {
  const walled = await startWalled();
  const args = ['test/system/e2e/connect-probe.ts', walled, GATEWAY, ...STORES];
  await kubectl(['apply', '-f', '-'], { input: podOf({ namespace, name: 'stranger', args }) });
  await kubectl(['wait', '-n', namespace, 'pod/stranger', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s']);
  const reached = JSON.parse(await kubectl(['logs', '-n', namespace, 'stranger'])) as Record<string, boolean>;
  // A Pod that a policy closes to all shows whether this cluster enforces policies.
  const isOpen = reached[walled]!;
  console.info(isOpen ? 'This cluster enforces no NetworkPolicy.' : 'This cluster enforces NetworkPolicies.');
  expect(reached).toEqual({
    [walled]: isOpen,
    [GATEWAY]: true,
    ...Object.fromEntries(STORES.map((at) => [at, isOpen])),
  });
}, 180_000);

/** Starts a Pod that listens, under a policy that lets no traffic in. Returns its address. */
async function startWalled(): Promise<string> {
  const port = 8899;
  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name: 'nobody' },
    spec: { podSelector: { matchLabels: { app: 'walled' } }, policyTypes: ['Ingress'] },
  };
  const env = { PORT: String(port), HOST: '0.0.0.0' };
  const pod = podOf({ namespace, name: 'walled', args: ['test/fakes/upstream/main.ts'], env, port });
  const own = yamlOf({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  await kubectl(['apply', '-f', '-'], { input: `${own}${yamlOf(policy)}${pod}` });
  await kubectl(['wait', '--for=condition=Ready', '--timeout=60s', '-n', namespace, 'pod/walled']);
  const address = await kubectl(['get', 'pod', 'walled', '-n', namespace, '-o', 'jsonpath={.status.podIP}']);
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
