import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { withPassword } from '../../config/redis-address.ts';
import { optionalText, readVariables, variables } from '../../config/variables.ts';
import { proxiesOf } from '../../proxy/proxy-environment.ts';
import type { Options } from './options.ts';

const OWN_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** The variables that are read. `REDIS_URL` is validated by the check of Redis. */
const VARIABLES = variables({
  KUBERNETES_SERVICE_HOST: v.optional(v.string()),
  KUBECONFIG: v.optional(v.string()),
  REDIS_URL: optionalText,
  REDIS_PASSWORD: optionalText,
  REDIS_CA_FILE: optionalText,
  TOLLGATE_DATABASE_URL: optionalText,
  TOLLGATE_USAGE_LOG_FOLDER: optionalText,
  TOLLGATE_SETTINGS: optionalText,
});

/** The configuration from environment and flags; flags win. */
export type Config = Readonly<ReturnType<typeof readConfig>>;

/** Reads environment and files once. Throws an Error if a named file cannot be read. */
export function readConfig(env: NodeJS.ProcessEnv, { namespace, kubeconfig, context }: Options) {
  const read = readVariables(VARIABLES, env);
  const isPod = read.KUBERNETES_SERVICE_HOST !== undefined && read.KUBECONFIG === undefined;
  const file = (path: string | undefined) => (path === undefined ? undefined : readFileSync(path, 'utf8'));
  const own = isPod && existsSync(OWN_NAMESPACE) ? readFileSync(OWN_NAMESPACE, 'utf8') : 'tollgate-system';
  return {
    namespace: namespace ?? own,
    /** Undefined in a Pod, where its ServiceAccount is used. */
    kubeconfig: kubeconfig ?? read.KUBECONFIG ?? (isPod ? undefined : join(homedir(), '.kube', 'config')),
    context,
    /** Names the API server to a Pod. */
    pod: env,
    /** Contains the password: never print it. */
    redisUrl: read.REDIS_URL === undefined ? undefined : withPassword(read.REDIS_URL, read.REDIS_PASSWORD),
    /** In PEM. */
    redisCa: file(read.REDIS_CA_FILE),
    /** Contains the password: never print it. */
    databaseUrl: read.TOLLGATE_DATABASE_URL,
    usageLogFolder: read.TOLLGATE_USAGE_LOG_FOLDER,
    proxies: {
      inForce: proxiesOf(env),
      /** As if NO_PROXY were empty. */
      withoutExceptions: proxiesOf({ ...env, NO_PROXY: '', no_proxy: '' }),
    },
    /** The text of the settings file; undefined if none was named. */
    settings: file(read.TOLLGATE_SETTINGS),
  };
}
