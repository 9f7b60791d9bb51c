import { inside, kubectl } from '../../../hack/cluster/node.ts';
import { NAMESPACE } from './release.ts';

/** A part of the installation, as its Pods are labelled. */
export type Part = 'operator' | 'gateway' | 'redis' | 'postgres';

const WORKLOADS = [
  'deployment/tollgate-operator',
  'deployment/tollgate-gateway',
  'statefulset/tollgate-redis',
  'statefulset/tollgate-postgres',
];

/** The names of the Pods of a part, those that are on their way out among them. */
export async function podsOf(part: Part): Promise<string[]> {
  const selector = `app.kubernetes.io/name=tollgate,app.kubernetes.io/component=${part}`;
  const names = await kubectl(['get', 'pods', '-n', NAMESPACE, '-l', selector, '-o', 'name']);
  return names
    .split('\n')
    .filter((name) => name !== '')
    .map((name) => name.replace('pod/', ''));
}

/** How often the container of each Pod of a part was started again. */
export async function restartsOf(part: Part): Promise<Record<string, number>> {
  const restarts = 'jsonpath={.status.containerStatuses[0].restartCount}';
  const pods = await podsOf(part);
  const counts = pods.map(async (pod) => Number(await kubectl(['get', 'pod', pod, '-n', NAMESPACE, '-o', restarts])));
  return Object.fromEntries((await Promise.all(counts)).map((count, n) => [pods[n]!, count]));
}

/** The operator's Pod that leads. */
export async function leader(): Promise<string> {
  const path = 'jsonpath={.spec.holderIdentity}';
  const holder = await kubectl(['get', 'lease', 'tollgate-operator', '-n', NAMESPACE, '-o', path]);
  return holder.split('_')[0] ?? '';
}

/** Waits until all Pods of all parts are ready. */
export async function whole(): Promise<void> {
  for (const workload of WORKLOADS) {
    await kubectl(['rollout', 'status', workload, '-n', NAMESPACE, '--timeout=300s']);
  }
}

/** Waits until Pods are gone that are leaving. */
export async function gone(pods: readonly string[]): Promise<void> {
  await kubectl(['wait', '--for=delete', '--timeout=300s', '-n', NAMESPACE, ...pods.map((pod) => `pod/${pod}`)]);
}

/** Asks a Pod to leave (SIGTERM), as a person does, and returns when it has; another one may have its name by then. */
export async function remove(pod: string): Promise<void> {
  await kubectl(['delete', 'pod', pod, '-n', NAMESPACE]);
}

/** Asks a Pod to leave as the drain of a node does. */
export async function evict(pod: string): Promise<void> {
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: pod, namespace: NAMESPACE } };
  const path = `/api/v1/namespaces/${NAMESPACE}/pods/${pod}/eviction`;
  await kubectl(['create', '--raw', path, '-f', '-'], { input: JSON.stringify(eviction) });
}

/**
 * Ends the processes of a Pod's container without a word (SIGKILL): the kubelet starts them again in the same Pod. On a
 * cluster of yours, where nobody reaches them, the Pod is taken away without a word instead.
 */
export async function kill(pod: string): Promise<void> {
  if (process.env['E2E_CONTEXT'] !== undefined) {
    await kubectl(['delete', 'pod', pod, '-n', NAMESPACE, '--grace-period=0', '--force']);
    return;
  }
  const path = 'jsonpath={.status.containerStatuses[0].containerID}';
  const id = (await kubectl(['get', 'pod', pod, '-n', NAMESPACE, '-o', path])).replace('containerd://', '');
  if (id === '') throw new Error(`the Pod ${pod} runs no container that could be killed`);
  // A container's processes are those of the cgroup with its name.
  await inside('sh', ['-c', `grep -l ${id} /proc/[0-9]*/cgroup | cut -d/ -f3 | xargs kill -9`]);
}
