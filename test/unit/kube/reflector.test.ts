import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { KubeClient } from '../../../kube/client.ts';
import { connectFromEnvironment } from '../../../kube/connect-from-environment.ts';
import { connect } from '../../../kube/connection.ts';
import { isKubeError, KubeError, kubeErrorOf } from '../../../kube/kube-error.ts';
import type { KubeObject, Resource } from '../../../kube/object.ts';
import { Reflector } from '../../../kube/reflector.ts';
import { connectAsServiceAccount } from '../../../kube/service-account.ts';
import { cluster } from '../../support/cluster.ts';

const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
const random = () => 0.5;

interface ConfigMap extends KubeObject {
  readonly data?: Record<string, string>;
}

const { kubeconfig, kubectl, namespace } = cluster();
const client = new KubeClient({ connection: connect(kubeconfig), random });
afterAll(() => client.close());

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

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

  test('an error shows no credential', async () => {
    const stranger = new KubeClient({
      connection: {
        server: cluster().server,
        authorize: async () => {
          const { dispatcher } = await connect(kubeconfig).authorize();
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

  test('in a Pod comes as its ServiceAccount, by the token that its folder holds now', async () => {
    const ns = await cluster().namespace('pod');
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-account-'));
    copyFileSync(cluster().caFile, join(folder, 'ca.crt'));
    writeFileSync(join(folder, 'token'), await cluster().kubectl('create', 'token', 'default', '-n', ns));
    const { hostname, port } = new URL(cluster().server);
    const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    const client = new KubeClient({ connection: connectAsServiceAccount(env, { folder, rereadMs: 0 }), random });
    const refused = await problem(client.list(configMaps, { namespace: ns }));
    expect(refused.message).toContain(`system:serviceaccount:${ns}:default`);
    await cluster().kubectl('create', 'serviceaccount', 'other', '-n', ns);
    writeFileSync(join(folder, 'token'), await cluster().kubectl('create', 'token', 'other', '-n', ns));
    const renewed = await problem(client.list(configMaps, { namespace: ns }));
    expect(renewed.message).toContain(`system:serviceaccount:${ns}:other`);
    await client.close();
    await expect(connectFromEnvironment(undefined, {})).rejects.toThrow('set KUBECONFIG');
  });

  test('no connection is Unavailable', async () => {
    const real = connect(kubeconfig);
    const nowhere = new KubeClient({
      connection: { ...real, server: 'https://127.0.0.1:1' },
      random,
      timeoutMs: 500,
    });
    expect(isKubeError(await problem(nowhere.list(configMaps)), 'Unavailable')).toBe(true);
    await real.close();
  });
});

describe('the reflector', () => {
  test('takes in what is there and follows what changes', async () => {
    const ns = await namespace('reflector');
    await kubectl('create', 'configmap', 'first', '-n', ns);
    const seen: string[] = [];
    const reflector = new Reflector<ConfigMap>({
      client,
      resource: configMaps,
      query: { namespace: ns, fieldSelector: 'metadata.name!=kube-root-ca.crt' },
      onChange: (key, now, before) =>
        seen.push(`${key.slice(ns.length + 1)} ${now ? (before ? 'changed' : 'new') : 'gone'}`),
      random,
    });
    expect(reflector.hasSynced).toBe(false);
    reflector.start();
    await reflector.synced;
    expect(reflector.values().map(({ metadata }) => metadata.name)).toEqual(['first']);
    await kubectl('create', 'configmap', 'second', '-n', ns);
    await kubectl('label', 'configmap', 'second', 'a=b', '-n', ns);
    await kubectl('delete', 'configmap', 'first', '-n', ns);
    await until(() => reflector.get(`${ns}/first`) === undefined);
    await until(() => reflector.get(`${ns}/second`)?.metadata.labels?.['a'] === 'b');
    await reflector.stop();
    expect(seen).toEqual(['first new', 'second new', 'second changed', 'first gone']);
  });

  test('more than a page, and one object by name', async () => {
    const ns = await namespace('reflector');
    const name = (index: number): string => `map-${index}`;
    for (let from = 0; from < 520; from += 40) {
      await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          client.create(configMaps, { metadata: { namespace: ns, name: name(from + index), labels: { of: 'pages' } } }),
        ),
      );
    }
    const all = new Reflector({
      client,
      resource: configMaps,
      query: { namespace: ns, labelSelector: 'of=pages' },
      random,
    });
    const one = new Reflector({
      client,
      resource: configMaps,
      query: { namespace: ns, fieldSelector: 'metadata.name=map-7' },
      random,
    });
    all.start();
    one.start();
    await Promise.all([all.synced, one.synced]);
    expect(all.values()).toHaveLength(520);
    expect(one.values().map(({ metadata }) => metadata.name)).toEqual(['map-7']);
    await Promise.all([all.stop(), one.stop()]);
  });

  test('a version that is too old, an object made anew meanwhile, and a broken watch lead to what is there', async () => {
    const ns = await namespace('reflector');
    const make = (data: Record<string, string>) =>
      client.create<ConfigMap>(configMaps, { metadata: { namespace: ns, name: 'a' }, data });
    await make({ v: '1' });
    const changes: string[] = [];
    let watches = 0;
    // The real server, but the first watch breaks and the second one says that its version is too old.
    const flaky: Pick<KubeClient, 'list' | 'watch'> = {
      list: (...args) => client.list(...args),
      async *watch(...args) {
        watches += 1;
        if (watches === 1) throw new Error('reset');
        if (watches > 2) return yield* client.watch(...args);
        await client.delete(configMaps, { namespace: ns, name: 'a' });
        await make({ v: '2' });
        throw kubeErrorOf(410, 'watch', 'too old resource version');
      },
    };
    const problems: unknown[] = [];
    const reflector = new Reflector<ConfigMap>({
      client: flaky,
      resource: configMaps,
      query: { namespace: ns, fieldSelector: 'metadata.name=a' },
      onChange: (_key, now, before) => changes.push(`${before?.data?.['v'] ?? '-'} to ${now?.data?.['v'] ?? '-'}`),
      onProblem: (error) => problems.push(error),
      random,
    });
    reflector.start();
    await until(() => reflector.get(`${ns}/a`)?.data?.['v'] === '2');
    await until(() => watches >= 3);
    await client.apply<ConfigMap>(
      configMaps,
      { metadata: { namespace: ns, name: 'a' }, data: { v: '3' } },
      {
        fieldManager: 'x',
      },
    );
    await until(() => reflector.get(`${ns}/a`)?.data?.['v'] === '3');
    await reflector.stop();
    expect(changes).toEqual(['- to 1', '1 to -', '- to 2', '2 to 3']);
    expect(problems).toHaveLength(1);
  });

  test('silence is no problem and costs no time: a watch of what nobody edits sees the next edit at once', async () => {
    const ns = await namespace('reflector');
    const impatient = new KubeClient({ connection: connect(kubeconfig), random, silenceMs: 1_200 });
    let [watches, drawn] = [0, 0];
    const counted: Pick<KubeClient, 'list' | 'watch'> = {
      list: (...args) => impatient.list(...args),
      watch: (...args) => {
        watches += 1;
        return impatient.watch(...args);
      },
    };
    const problems: unknown[] = [];
    const reflector = new Reflector<ConfigMap>({
      client: counted,
      resource: configMaps,
      query: { namespace: ns, fieldSelector: 'metadata.name=a' },
      onProblem: (error) => problems.push(error),
      random: () => {
        drawn += 1;
        return random();
      },
    });
    reflector.start();
    await until(() => watches >= 3);
    expect(drawn).toBe(1 + watches); // each pause would have drawn one more
    await client.create<ConfigMap>(configMaps, { metadata: { namespace: ns, name: 'a' }, data: { v: '1' } });
    await until(() => reflector.get(`${ns}/a`) !== undefined);
    await reflector.stop();
    await impatient.close();
    expect(problems).toEqual([]);
  });
});
