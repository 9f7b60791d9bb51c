import type { Connection } from './client.ts';
import { connectAsServiceAccount, type PodEnvironment } from './service-account-connection.ts';

/**
 * Connects by a kubeconfig, by default with its current context; without one as the ServiceAccount of the Pod.
 * @throws Error where neither names a cluster.
 */
export async function connect(
  kubeconfig: string | undefined,
  env: PodEnvironment,
  context?: string,
): Promise<Connection> {
  if (kubeconfig === undefined) return connectAsServiceAccount(env);
  const { connectByKubeconfig } = await import('./kubeconfig-connection.ts');
  return connectByKubeconfig(kubeconfig, context);
}
