import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { withPassword } from '../../config/redis-address.ts';
import { optionalText, readVariables, variables } from '../../config/variables.ts';
import type { PodEnvironment } from '../../kube/service-account-connection.ts';
import type { Options } from './options.ts';

/** The configuration from environment and flags; flags win. */
export interface Config {
  readonly namespace: string;
  /** Undefined in a Pod, where its ServiceAccount is used. */
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  /** The environment of a Pod, which names the API server. */
  readonly pod: PodEnvironment;
  /** Contains the password: never print it. */
  readonly redisUrl: string | undefined;
  /** In PEM. */
  readonly redisCa: string | undefined;
  /** Contains the password: never print it. */
  readonly databaseUrl: string | undefined;
  /** The text of the settings file; undefined if none was named. */
  readonly settings: string | undefined;
}

const OWN_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** The variables that are read. `REDIS_URL` is validated by the check of Redis. */
const VARIABLES = variables({
  KUBERNETES_SERVICE_HOST: v.optional(v.string()),
  KUBECONFIG: v.optional(v.string()),
  REDIS_URL: optionalText,
  REDIS_PASSWORD: optionalText,
  REDIS_CA_FILE: optionalText,
  TOLLGATE_DATABASE_URL: optionalText,
  TOLLGATE_SETTINGS: optionalText,
});

/** Reads environment and files once. Throws an Error if a named file cannot be read. */
export function readConfig(env: NodeJS.ProcessEnv, options: Options): Config {
  const read = readVariables(VARIABLES, env);
  const isPod = read.KUBERNETES_SERVICE_HOST !== undefined && read.KUBECONFIG === undefined;
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  return {
    namespace:
      options.namespace ??
      (isPod && existsSync(OWN_NAMESPACE) ? readFileSync(OWN_NAMESPACE, 'utf8') : 'tollgate-system'),
    kubeconfig: options.kubeconfig ?? read.KUBECONFIG ?? (isPod ? undefined : join(homedir(), '.kube', 'config')),
    context: options.context,
    pod: env,
    redisUrl: read.REDIS_URL === undefined ? undefined : withPassword(read.REDIS_URL, read.REDIS_PASSWORD),
    redisCa: file(read.REDIS_CA_FILE),
    databaseUrl: read.TOLLGATE_DATABASE_URL,
    settings: file(read.TOLLGATE_SETTINGS),
  };
}
