import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, type Dispatcher } from 'undici';
import type { Connection } from './client.ts';

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

const DEFAULTS = {
  /** Where clusters mount the credential of a Pod. */
  folder: '/var/run/secrets/kubernetes.io/serviceaccount',
  /** For so long a token is used: the cluster renews it in its file long before it expires. Milliseconds. */
  rereadMs: 60_000,
};

/** A NetworkPolicy acts on the API server's own port, which a Pod that knows only its Service does not see. */
const HINT =
  '. If a NetworkPolicy closes its own port, the value networkPolicies.apiServerPorts of the chart opens it (docs/how-to/networks.md)';

/** The variables that tell a Pod where its API server is. */
interface PodEnvironment {
  readonly KUBERNETES_SERVICE_HOST?: string | undefined;
  readonly KUBERNETES_SERVICE_PORT?: string | undefined;
}

/**
 * Connects as the ServiceAccount of the Pod. Not by client-node, which does no more than this in a Pod and takes 85 MB of
 * memory (docs/decisions/0017).
 * @throws Error outside a Pod.
 */
export function connectAsServiceAccount(env: PodEnvironment, options: Partial<typeof DEFAULTS> = {}): Connection {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (!host) throw new Error('set KUBECONFIG: this process does not run in a Pod (KUBERNETES_SERVICE_HOST is not set)');
  const account = new ServiceAccount({ ...DEFAULTS, ...options });
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    server,
    unreachableHint: HINT,
    authorize: () => account.authorize(),
    close: () => account.close(),
  };
}

class ServiceAccount {
  readonly #options: typeof DEFAULTS;
  #ca: string;
  #dispatcher: Dispatcher;
  #token = '';
  #read = -Infinity;

  constructor(options: typeof DEFAULTS) {
    this.#options = options;
    this.#ca = readFileSync(join(options.folder, 'ca.crt'), 'utf8');
    this.#dispatcher = trusting(this.#ca);
  }

  async authorize(): Promise<{ headers: Record<string, string>; dispatcher: Dispatcher }> {
    if (performance.now() - this.#read > this.#options.rereadMs) await this.#reread();
    return { headers: { Authorization: `Bearer ${this.#token}` }, dispatcher: this.#dispatcher };
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #reread(): Promise<void> {
    const { folder } = this.#options;
    this.#token = (await readFile(join(folder, 'token'), 'utf8')).trim();
    const ca = await readFile(join(folder, 'ca.crt'), 'utf8');
    this.#read = performance.now();
    if (ca === this.#ca) return;
    void this.#dispatcher.close(); // calls in flight end first
    this.#dispatcher = trusting(ca);
    this.#ca = ca;
  }
}

function trusting(ca: string): Dispatcher {
  // 30 s, as in client-go: load balancers drop connections that are idle for a minute.
  return new Agent({ allowH2: false, connect: { ca, keepAlive: true, keepAliveInitialDelay: 30_000 } });
}
