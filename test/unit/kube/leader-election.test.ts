import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { KubeClient } from '../../../kube/client.ts';
import { connect } from '../../../kube/connection.ts';
import { Events } from '../../../kube/events.ts';
import { LeaderElection } from '../../../kube/leader-election.ts';
import type { KubeObject, Resource } from '../../../kube/object.ts';
import { cluster } from '../../support/cluster.ts';

const { kubeconfig, kubectl, namespace } = cluster();
const client = new KubeClient({ connection: connect(kubeconfig), random: Math.random });
afterAll(() => client.close());

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

describe('leader election', () => {
  test('one of three leads, hands over when it stops, and loses the lease when it cannot renew it', async () => {
    const ns = await namespace('lease');
    const lost: string[] = [];
    let cutOff = '';
    const candidate = (identity: string) =>
      new LeaderElection({
        client: Object.assign(Object.create(client) as KubeClient, {
          get: (...args: Parameters<KubeClient['get']>) =>
            cutOff === identity ? Promise.reject(new Error('cut off')) : client.get(...args),
          create: (...args: Parameters<KubeClient['create']>) => client.create(...args),
          replace: (...args: Parameters<KubeClient['replace']>) => client.replace(...args),
        }),
        lease: { namespace: ns, name: 'leader' },
        identity,
        clock: Date.now,
        random: Math.random,
        timing: { durationMs: 3_000, renewMs: 2_000, retryMs: 50, lookMs: 50 },
        onElected: () => undefined,
        onLost: () => lost.push(identity),
      });
    const all = new Map(['a', 'b', 'c'].map((name) => [name, candidate(name)]));
    const leaders = () => [...all].filter(([, { leads }]) => leads).map(([name]) => name);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, leaders().length)), 5);
    for (const each of all.values()) each.start();

    await until(() => leaders().length === 1);
    const [first] = leaders();
    await all.get(first!)!.stop();
    all.delete(first!);
    expect(lost).toEqual([]);

    await until(() => leaders().length === 1);
    const [second] = leaders();
    cutOff = second!;
    await until(() => leaders().length === 0);
    await until(() => leaders().length === 1);
    const [third] = leaders();
    expect(third).not.toBe(second);
    expect(lost).toEqual([second]);
    expect(await kubectl('get', 'lease', 'leader', '-n', ns, '-o', 'jsonpath={.spec.holderIdentity}')).toBe(third);

    cutOff = '';
    for (const each of all.values()) await each.stop();
    clearInterval(watch);
    expect(most).toBe(1);
    expect(await kubectl('get', 'lease', 'leader', '-n', ns, '-o', 'jsonpath={.spec.holderIdentity}')).toBe('');
  });
});

test('a leader that did nothing while its renewal was late is told to begin anew', async () => {
  const told: string[] = [];
  const election = new LeaderElection({
    client,
    lease: { namespace: await namespace('late'), name: 'leader' },
    identity: 'late',
    clock: Date.now,
    random: () => 0,
    timing: { durationMs: 10_000, renewMs: 500, retryMs: 700, lookMs: 700 },
    onElected: () => told.push('elected'),
    onLost: () => told.push('lost'),
  });
  election.start();
  await until(() => told.length >= 3);
  await election.stop();
  expect(told.slice(0, 3)).toEqual(['elected', 'lost', 'elected']);
});

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
      clock: Date.now,
      onProblem: (error) => problems.push(error),
    });
    const spent = { type: 'Warning', reason: 'Spent', action: 'Watch', note: 'All is spent.' } as const;
    for (let i = 0; i < 3; i += 1) await events.tell(about, spent);
    const described = await kubectl('describe', 'configmap', 'subject', '-n', ns);
    expect(described).toMatch(/Warning +Spent .*All is spent\./);

    for (let i = 0; i < 60; i += 1) await events.tell(about, { ...spent, note: `Spent ${i} times.` });
    type Event = KubeObject & { note: string; series?: { count: number } };
    const resource: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events' };
    const { items } = await client.list<Event>(resource, { namespace: ns });
    expect(items.find(({ note }) => note === 'All is spent.')?.series?.count).toBe(3);
    expect(items).toHaveLength(1 + 22); // 25 writes, three of them for the first event
    expect(problems).toEqual([]);
  });

  test('of very many objects at once are told for some, and warnings as if there were none of them', async () => {
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
      clock: () => now,
    });
    const tell = (i: number, type: 'Normal' | 'Warning', reason: string) =>
      events.tell(
        { metadata: { namespace: 'fleet', name: `${reason}-${i}`, uid: `${reason}-${i}` } },
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
});
