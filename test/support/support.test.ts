import { describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { cluster } from './cluster.ts';
import { startRedis } from './redis.ts';

describe('the parts that tests lean on', () => {
  test('the control plane authorizes by RBAC and cleans up what an owner leaves behind', async () => {
    const { apply, kubectl, namespace } = cluster();
    const name = await namespace('support');
    await kubectl('create', 'serviceaccount', 'nobody', '-n', name);
    await expect(kubectl('get', 'secrets', '-n', name, '--as', `system:serviceaccount:${name}:nobody`)).rejects.toThrow(
      'cannot list resource "secrets"',
    );
    await kubectl('create', 'configmap', 'owner', '-n', name);
    const uid = await kubectl('get', 'configmap', 'owner', '-n', name, '-o', 'jsonpath={.metadata.uid}');
    await apply(`
apiVersion: v1
kind: Secret
metadata:
  {name: owned, namespace: ${name}, ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: owner, uid: ${uid}}]}
`);
    await kubectl('delete', 'configmap', 'owner', '-n', name);
    await kubectl('wait', '--for=delete', 'secret/owned', '-n', name, '--timeout=30s');
    expect(await kubectl('get', 'secrets', '-n', name, '-o', 'name')).toBe('');
  });

  test('Redis comes back with its data after SIGKILL', async () => {
    const first = await startRedis();
    const client = new Redis(first.url);
    await client.set('spent', '41');
    client.disconnect();
    await first.kill();
    const second = await startRedis({ directory: first.directory, port: first.port, password: first.password });
    const again = new Redis(second.url);
    expect(await again.incr('spent')).toBe(42);
    again.disconnect();
    await second.stop();
  });
});
