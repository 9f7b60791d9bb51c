import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { withPassword } from '../../config/redis-address.ts';
import type { PodEnvironment } from '../../kube/service-account.ts';
import type { Options } from './options.ts';

/** What the environment says of the installation, with the flags over it. */
export interface Config {
  readonly namespace: string;
  /** Undefined in a Pod, where its ServiceAccount is used. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** Where the API server is, for a Pod. */
  readonly pod: PodEnvironment;
  /** With the password in it: never print it. */
  readonly redisUrl: string | undefined;
  /** In PEM. */
  readonly redisCa: string | undefined;
  /** With the password in it: never print it. */
  readonly databaseUrl: string | undefined;
  /** The text of the settings file; undefined where none was named. */
  readonly settings: string | undefined;
}

const OWN_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** Reads environment and files, once. Throws an Error where a file that was named cannot be read. */
export function readConfig(env: NodeJS.ProcessEnv, options: Options): Config {
  const isPod = env['KUBERNETES_SERVICE_HOST'] !== undefined && env['KUBECONFIG'] === undefined;
  const file = (name: string) => (env[name] ? readFileSync(env[name], 'utf8') : undefined);
  return {
    namespace:
      options.namespace ??
      (isPod && existsSync(OWN_NAMESPACE) ? readFileSync(OWN_NAMESPACE, 'utf8') : 'tollgate-system'),
    kubeconfig: options.kubeconfig ?? env['KUBECONFIG'] ?? (isPod ? undefined : join(homedir(), '.kube', 'config')),
    context: options.context,
    pod: env,
    redisUrl: env['REDIS_URL'] ? withPassword(env['REDIS_URL'], env['REDIS_PASSWORD']) : undefined,
    redisCa: file('REDIS_CA_FILE'),
    databaseUrl: env['TOLLGATE_DATABASE_URL'] || undefined,
    settings: file('TOLLGATE_SETTINGS'),
  };
}
