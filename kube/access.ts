import type { Connection } from './connection.ts';
import { connectAsServiceAccount, type PodEnvironment } from './service-account.ts';

/**
 * The way to the API server: by a kubeconfig, or as the Pod's ServiceAccount where there is none.
 * @throws Error where neither names a cluster.
 */
export async function access(kubeconfig: string | undefined, env: PodEnvironment): Promise<Connection> {
  if (kubeconfig === undefined) return connectAsServiceAccount(env);
  const { connect } = await import('./connection.ts');
  return connect(kubeconfig);
}
