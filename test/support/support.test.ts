import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { freePort } from '../../hack/services/ports.ts';
import { cluster } from './cluster.ts';
import { startProxy } from './proxy.ts';
import { startRedis } from './redis.ts';

describe('the parts that tests use', () => {
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

  test('a free port and its bus are below the ports of connections, and no port is given twice', async () => {
    const ports = await Promise.all(Array.from({ length: 20 }, () => freePort()));
    expect(new Set(ports).size).toBe(20);
    const firstOfConnections = 32_768; // of Linux; others begin higher
    expect(Math.max(...ports) + 10_000).toBeLessThan(firstOfConnections);
    const server = createServer().listen(ports[0], '127.0.0.1');
    await once(server, 'listening');
    expect(await freePort(ports[0])).not.toBe(ports[0]);
    expect(await freePort(ports[1])).toBe(ports[1]);
    server.close();
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

  test('a proxy delays, drops, closes and restores connections', async () => {
    const redis = await startRedis();
    const direct = new Redis(redis.url);
    const proxy = await startProxy(redis.port);
    const options = { password: redis.password, enableOfflineQueue: false, retryStrategy: () => 20 };
    const client = new Redis(proxy.port, '127.0.0.1', { ...options, maxRetriesPerRequest: 0, commandTimeout: 500 });
    const again = () => new Promise((resolve) => client.once('ready', resolve));
    client.on('error', () => undefined);
    await again();
    proxy.delay(100);
    const asked = performance.now();
    expect(await client.incr('asked')).toBe(1);
    expect(performance.now() - asked).toBeGreaterThanOrEqual(199);
    proxy.delay(0);
    proxy.silence('answers');
    await expect(client.incr('asked')).rejects.toThrow('timed out');
    expect(await direct.get('asked')).toBe('2');
    proxy.silence('everything');
    await expect(client.incr('asked')).rejects.toThrow('timed out');
    expect(await direct.get('asked')).toBe('2');
    await Promise.all([again(), proxy.mend()]);
    expect(await client.incr('asked')).toBe(3);
    await proxy.cut();
    await expect(client.incr('asked')).rejects.toThrow(/closed|writeable|retries/);
    await Promise.all([again(), proxy.mend()]);
    expect(await client.incr('asked')).toBe(4);
    for (const one of [client, direct]) one.disconnect();
    await proxy.stop();
    await redis.stop();
  });
});
