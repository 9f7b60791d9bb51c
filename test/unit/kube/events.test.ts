import { afterAll, describe, expect, test } from '@jest/globals';
import { KubeClient } from '../../../kube/client.ts';
import { Events } from '../../../kube/events.ts';
import { connectByKubeconfig } from '../../../kube/kubeconfig-connection.ts';
import type { KubeObject, Resource } from '../../../kube/object.ts';
import { cluster } from '../../support/cluster.ts';

const { kubeconfig, kubectl, namespace } = cluster();
const client = new KubeClient({ connection: connectByKubeconfig(kubeconfig), random: Math.random });
afterAll(() => client.close());

describe('events', () => {
  test('are seen in kubectl describe, joined to a series where they repeat, and bounded', async () => {
    const ns = await namespace('events');
    const configMaps: Resource = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
    const made = await client.create<KubeObject>(configMaps, { metadata: { namespace: ns, name: 'subject' } });
    const about = { ...made, apiVersion: 'v1', kind: 'ConfigMap' };
    const problems: unknown[] = [];
    const events = new Events({
      client,
      controller: 'tollgate.dev/test',
      instance: 'test-0',
      namespace: 'tollgate-system',
      clock: Date.now,
      onProblem: (error) => problems.push(error),
    });
    const spent = { type: 'Warning', reason: 'Spent', action: 'Watch', note: 'All is spent.' } as const;
    for (let i = 0; i < 3; i += 1) await events.record(about, spent);
    const described = await kubectl('describe', 'configmap', 'subject', '-n', ns);
    expect(described).toMatch(/Warning +Spent .*All is spent\./);

    for (let i = 0; i < 60; i += 1) await events.record(about, { ...spent, note: `Spent ${i} times.` });
    type Event = KubeObject & { note: string; series?: { count: number } };
    const resource: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' };
    const { items } = await client.list<Event>(resource, { namespace: ns });
    expect(items.find(({ note }) => note === 'All is spent.')?.series?.count).toBe(3);
    expect(items).toHaveLength(1 + 22); // 25 writes, three of them for the first event
    expect(problems).toEqual([]);
  });

  test('of very many objects at once are bounded, and warnings by themselves', async () => {
    const told: string[] = [];
    let now = 1_000_000;
    const events = new Events({
      client: {
        create: async (_resource, object) => {
          told.push(String((object as KubeObject & { reason?: string }).reason));
          return object;
        },
        merge: () => Promise.reject(new Error('there is no series')),
      },
      controller: 'tollgate.dev/test',
      instance: 'test-0',
      namespace: 'tollgate-system',
      clock: () => now,
    });
    const tell = (i: number, type: 'Normal' | 'Warning', reason: string) =>
      events.record(
        { metadata: { namespace: `fleet-${i % 100}`, name: `${reason}-${i}`, uid: `${reason}-${i}` } },
        {
          type,
          reason,
          action: 'Test',
          note: 'It is so.',
        },
      );
    for (let i = 0; i < 1_000; i += 1) await tell(i, 'Normal', 'Programmed');
    for (let i = 0; i < 10; i += 1) await tell(i, 'Warning', 'Spent');
    expect(told.filter((reason) => reason === 'Programmed')).toHaveLength(50);
    expect(told.filter((reason) => reason === 'Spent')).toHaveLength(10);
    now += 2_000;
    for (let i = 1_000; i < 1_100; i += 1) await tell(i, 'Normal', 'Programmed');
    expect(told.filter((reason) => reason === 'Programmed')).toHaveLength(60);
  });

  test('that a tenant provokes push out neither those of other namespaces nor those of the installation', async () => {
    const told: string[] = [];
    const events = new Events({
      client: {
        create: async (_resource, object) => {
          told.push(object.metadata.namespace ?? '');
          return object;
        },
        merge: () => Promise.reject(new Error('there is no series')),
      },
      controller: 'tollgate.dev/test',
      instance: 'test-0',
      namespace: 'tollgate-system',
      clock: () => 1_000_000,
    });
    const tell = (namespace: string, name: string, note = 'It is so.') =>
      events.record(
        { metadata: { namespace, name, uid: `${namespace}/${name}` } },
        { type: 'Warning', reason: 'PolicyRejected', action: 'Compile', note },
      );
    for (let i = 0; i < 500; i += 1) await tell('hostile', 'one', `Edit ${i}.`);
    for (let i = 0; i < 500; i += 1) await tell('hostile', `many-${i}`);
    await tell('payments', 'checkout');
    for (let i = 0; i < 100; i += 1) await tell(`hostile-${i}`, 'one');
    await tell('tollgate-system', 'tollgate-ledger');
    const count = (namespace: string) => told.filter((one) => one === namespace).length;
    expect([count('hostile'), count('payments'), count('tollgate-system')]).toEqual([25, 1, 1]);
  });
});
