import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { KubeClient } from '../../../kube/client.ts';
import { connect, connectAsServiceAccount } from '../../../kube/connect.ts';
import type { Resource } from '../../../kube/object.ts';
import { cluster } from '../../support/cluster.ts';

const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
const random = () => 0.5;

/** Why a list is refused: the API server names who asked. */
function refusal(client: KubeClient, namespace: string): Promise<string> {
  return client.list(configMaps, { namespace }).then(
    () => 'allowed',
    (error: unknown) => String(error),
  );
}

test('a Pod connects as its ServiceAccount, by the token that its folder holds now', async () => {
  const ns = await cluster().namespace('pod');
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-account-'));
  copyFileSync(cluster().caFile, join(folder, 'ca.crt'));
  writeFileSync(join(folder, 'token'), await cluster().kubectl('create', 'token', 'default', '-n', ns));
  const { hostname, port } = new URL(cluster().server);
  const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
  const client = new KubeClient({ connection: connectAsServiceAccount(env, { folder, rereadMs: 0 }), random });
  const refused = await refusal(client, ns);
  expect(refused).toContain(`system:serviceaccount:${ns}:default`);
  await cluster().kubectl('create', 'serviceaccount', 'other', '-n', ns);
  writeFileSync(join(folder, 'token'), await cluster().kubectl('create', 'token', 'other', '-n', ns));
  const renewed = await refusal(client, ns);
  expect(renewed).toContain(`system:serviceaccount:${ns}:other`);
  await client.close();
  await expect(connect(undefined, {})).rejects.toThrow('set KUBECONFIG');
});

test('a Pod that cannot connect is told where to, and which value of the chart opens the port', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-account-'));
  copyFileSync(cluster().caFile, join(folder, 'ca.crt'));
  writeFileSync(join(folder, 'token'), 'a-token');
  const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' };
  const client = new KubeClient({ connection: connectAsServiceAccount(env, { folder }), random, timeoutMs: 500 });
  expect(await refusal(client, 'default')).toBe(
    'KubeError: GET /api/v1/namespaces/default/configmaps: no connection to the API server at 127.0.0.1:1 (ECONNREFUSED). If a NetworkPolicy closes its own port, the value networkPolicies.apiServerPorts of the chart opens it (docs/how-to/networks.md)',
  );
  await client.close();
});
