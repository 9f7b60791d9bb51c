import { kubectl } from '../../hack/cluster/node.ts';
import { NAMESPACE } from './release.ts';

/** A part of the installation, as its Pods are labelled. */
export type Part = 'operator' | 'gateway' | 'redis' | 'postgres';

/** The names of the Pods of a part, those that are on their way out among them. */
export async function podsOf(part: Part): Promise<string[]> {
  const selector = `app.kubernetes.io/name=tollgate,app.kubernetes.io/component=${part}`;
  const names = await kubectl(['get', 'pods', '-n', NAMESPACE, '-l', selector, '-o', 'name']);
  return names
    .split('\n')
    .filter((name) => name !== '')
    .map((name) => name.replace('pod/', ''));
}

/** Waits until Pods are gone that are leaving. */
export async function gone(pods: readonly string[]): Promise<void> {
  await kubectl(['wait', '--for=delete', '--timeout=300s', '-n', NAMESPACE, ...pods.map((pod) => `pod/${pod}`)]);
}
