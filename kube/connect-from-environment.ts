import type { Connection } from './connection.ts';
import { connectAsServiceAccount, type PodEnvironment } from './service-account.ts';

/**
 * The way to the API server: by a kubeconfig and, where it is named, another one of its contexts than the current one; or
 * as the Pod's ServiceAccount where there is no kubeconfig.
 * @throws Error where neither names a cluster.
 */
export async function connectFromEnvironment(
  kubeconfig: string | undefined,
  env: PodEnvironment,
  context?: string,
): Promise<Connection> {
  if (kubeconfig === undefined) return connectAsServiceAccount(env);
  const { connect } = await import('./connection.ts');
  return connect(kubeconfig, context);
}
