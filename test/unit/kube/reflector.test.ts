import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { KubeClient } from '../../../kube/client.ts';
import { kubeErrorOf } from '../../../kube/kube-error.ts';
import { connectByKubeconfig } from '../../../kube/kubeconfig-connection.ts';
import type { KubeObject, Resource } from '../../../kube/object.ts';
import { Reflector } from '../../../kube/reflector.ts';
import { cluster } from '../../support/cluster.ts';

const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
const random = () => 0.5;

interface ConfigMap extends KubeObject {
  readonly data?: Record<string, string>;
}

const { kubeconfig, kubectl, namespace } = cluster();
const client = new KubeClient({ connection: connectByKubeconfig(kubeconfig), random });
afterAll(() => client.close());

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

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

  test('recovers from a version that is too old, a re-created object, and a broken watch', async () => {
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

  test('reports no problem for a silent watch, and sees the next edit at once', async () => {
    const ns = await namespace('reflector');
    const impatient = new KubeClient({ connection: connectByKubeconfig(kubeconfig), random, silenceMs: 1_200 });
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
