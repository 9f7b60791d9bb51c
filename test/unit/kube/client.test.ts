import { type AddressInfo, createServer } from 'node:net';
import { afterAll, describe, expect, test } from '@jest/globals';
import { Agent } from 'undici';
import { KubeClient } from '../../../kube/client.ts';
import { KubeError } from '../../../kube/kube-error.ts';
import { connectByKubeconfig } from '../../../kube/kubeconfig-connection.ts';
import type { KubeObject, Resource } from '../../../kube/object.ts';
import { cluster } from '../../support/cluster.ts';

const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
const random = () => 0.5;

interface ConfigMap extends KubeObject {
  readonly data?: Record<string, string>;
}

const { kubeconfig, namespace } = cluster();
const client = new KubeClient({ connection: connectByKubeconfig(kubeconfig), random });
afterAll(() => client.close());

async function problem(call: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await call.catch((error: unknown) => error);
  expect(error).toBeInstanceOf(KubeError);
  return error as KubeError;
}

describe('the client', () => {
  test('writes and reads, and says in one word why not', async () => {
    const ns = await namespace('client');
    const map: ConfigMap = { metadata: { namespace: ns, name: 'a' }, data: { one: '1' } };
    const made = await client.create<ConfigMap>(configMaps, map);
    expect((await problem(client.create(configMaps, map))).kind).toBe('Conflict');
    const second = await client.replace<ConfigMap>(configMaps, { ...made, data: { one: '2' } });
    expect((await problem(client.replace(configMaps, { ...made, data: {} }))).kind).toBe('Conflict');
    expect(second.data).toEqual({ one: '2' });
    await client.apply(configMaps, { ...map, data: { two: '2' } }, { fieldManager: 'other' });
    expect((await client.get<ConfigMap>(configMaps, map.metadata)).data).toEqual({ one: '2', two: '2' });
    await client.apply(configMaps, { ...map, data: {} }, { fieldManager: 'other' });
    expect((await client.get<ConfigMap>(configMaps, map.metadata)).data).toEqual({ one: '2' });
    await client.merge(configMaps, map.metadata, { metadata: { annotations: { note: 'x' } } });
    expect((await client.get<ConfigMap>(configMaps, map.metadata)).metadata.annotations).toEqual({ note: 'x' });
    expect((await problem(client.delete(configMaps, map.metadata, 'another-uid'))).kind).toBe('Conflict');
    await client.delete(configMaps, map.metadata, made.metadata.uid);
    const gone = await problem(client.get(configMaps, map.metadata));
    expect(gone).toMatchObject({ kind: 'NotFound', status: 404 });
    const invalid = await problem(client.create(configMaps, { metadata: { namespace: ns, name: 'A_' } }));
    expect(invalid).toMatchObject({ kind: 'Invalid' });
    expect(invalid.message).toContain('metadata.name');
  });

  test('an event of many pieces arrives whole, with those before and after it', async () => {
    const ns = await namespace('large');
    const { resourceVersion } = await client.list(configMaps, { namespace: ns });
    const text = 'é'.repeat(300_000);
    for (const [name, data] of Object.entries({ before: 'x', large: text, after: 'y' }))
      await client.create<ConfigMap>(configMaps, { metadata: { namespace: ns, name }, data: { text: data } });
    const seen = new Map<string, string | undefined>();
    const signal = AbortSignal.timeout(30_000);
    const options = { resourceVersion, timeoutSeconds: 30, signal };
    for await (const { object } of client.watch<ConfigMap>(configMaps, { namespace: ns }, options)) {
      seen.set(object.metadata.name, object.data?.['text']);
      if (object.metadata.name === 'after') break;
    }
    expect(seen.get('large')).toBe(text);
    expect([seen.get('before'), seen.get('after')]).toEqual(['x', 'y']);
  });

  test('lists objects that are too large for one page, and reduces each', async () => {
    const ns = await namespace('client');
    const large = 'x'.repeat(1_000_000);
    const names = Array.from({ length: 12 }, (_, i) => `large-${10 + i}`);
    for (const name of names)
      await client.create<ConfigMap>(configMaps, { metadata: { namespace: ns, name }, data: { large } });
    const { items } = await client.list<ConfigMap>(configMaps, { namespace: ns }, ({ metadata, data }) => ({
      metadata,
      data: { length: String(data?.['large']?.length) },
    }));
    const read = items.filter(({ metadata }) => metadata.name.startsWith('large'));
    expect(read.map(({ metadata }) => metadata.name)).toEqual(names);
    expect(read.every(({ data }) => data?.['length'] === '1000000')).toBe(true);
  });

  test('an error shows no credential', async () => {
    const stranger = new KubeClient({
      connection: {
        server: cluster().server,
        authorize: async () => {
          const { dispatcher } = await connectByKubeconfig(kubeconfig).authorize();
          return { headers: { Authorization: 'Bearer not-a-token' }, dispatcher };
        },
        close: () => Promise.resolve(),
      },
      random,
    });
    const refused = await problem(stranger.list(configMaps));
    expect(refused.kind).toBe('Forbidden');
    expect(`${JSON.stringify(refused)} ${String(refused.stack)}`).not.toContain('not-a-token');
  });

  test('no connection is Unavailable', async () => {
    const real = connectByKubeconfig(kubeconfig);
    const nowhere = new KubeClient({
      connection: { ...real, server: 'https://127.0.0.1:1' },
      random,
      timeoutMs: 500,
    });
    const { kind, message } = await problem(nowhere.list(configMaps));
    expect([kind, message]).toEqual([
      'Unavailable',
      'GET /api/v1/configmaps: no connection to the API server at 127.0.0.1:1 (ECONNREFUSED)',
    ]);
    await real.close();
  });

  test('when the time is up, the failure before it is told', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections += 1;
      if (connections === 1) socket.resetAndDestroy(); // and is silent from the second on
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const dispatcher = new Agent();
    const connection = {
      server: `http://127.0.0.1:${port}`,
      authorize: () => Promise.resolve({ headers: {}, dispatcher }),
      close: () => dispatcher.destroy(),
    };
    const broken = new KubeClient({ connection, random, timeoutMs: 2_000 });
    expect((await problem(broken.list(configMaps))).message).toBe('GET /api/v1/configmaps: ECONNRESET');
    expect(connections).toBe(2);
    const write = broken.create(configMaps, { metadata: { namespace: 'a', name: 'a' } });
    expect((await problem(write)).message).toBe('POST /api/v1/namespaces/a/configmaps: TimeoutError');
    await broken.close();
    server.close();
  });
});
