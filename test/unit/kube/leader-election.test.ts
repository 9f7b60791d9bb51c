import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { KubeClient } from '../../../kube/client.ts';
import { connectByKubeconfig } from '../../../kube/kubeconfig-connection.ts';
import { LeaderElection } from '../../../kube/leader-election.ts';
import { cluster } from '../../support/cluster.ts';

const { kubeconfig, kubectl, namespace } = cluster();
const client = new KubeClient({ connection: connectByKubeconfig(kubeconfig), random: Math.random });
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
      });
    const all = new Map(['a', 'b', 'c'].map((name) => [name, candidate(name)]));
    const leaders = () => [...all].filter(([, { leads }]) => leads).map(([name]) => name);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, leaders().length)), 5);
    for (const [identity, each] of all) each.start({ onElected: () => undefined, onLost: () => lost.push(identity) });

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

test('a leader that did nothing while its renewal was late is told so, and leads again', async () => {
  const told: string[] = [];
  const election = new LeaderElection({
    client,
    lease: { namespace: await namespace('late'), name: 'leader' },
    identity: 'late',
    clock: Date.now,
    random: () => 0,
    timing: { durationMs: 10_000, renewMs: 500, retryMs: 700, lookMs: 700 },
  });
  election.start({ onElected: () => told.push('elected'), onLost: () => told.push('lost') });
  await until(() => told.length >= 3);
  await election.stop();
  expect(told.slice(0, 3)).toEqual(['elected', 'lost', 'elected']);
});
