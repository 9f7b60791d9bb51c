import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, type Dispatcher } from 'undici';
import type { Connection } from './connection.ts';

/** Where every cluster puts what a Pod needs to reach its API server. */
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
/** A token is renewed long before it ends, and the cluster writes the new one here. Milliseconds. */
const REREAD_MS = 60_000;

/** What a Pod is told about its API server. */
export interface PodEnvironment {
  readonly KUBERNETES_SERVICE_HOST?: string | undefined;
  readonly KUBERNETES_SERVICE_PORT?: string | undefined;
}

interface ServiceAccountOptions {
  /** Default: where clusters put it. */
  readonly folder?: string;
  /** How long a token is used before its file is looked at again. Milliseconds, default a minute. */
  readonly rereadMs?: number;
}

/**
 * Reaches the API server as the ServiceAccount of the Pod. Read here and not by client-node, which takes 85 MB of
 * memory to load and does no more than this in a Pod (docs/decisions/0017).
 * @throws Error outside a Pod.
 */
export function connectAsServiceAccount(env: PodEnvironment, options: ServiceAccountOptions = {}): Connection {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (!host) throw new Error('set KUBECONFIG: this process does not run in a Pod (KUBERNETES_SERVICE_HOST is not set)');
  const account = new ServiceAccount(options);
  const server = `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return { server, authorize: () => account.authorize(), close: () => account.close() };
}

class ServiceAccount {
  readonly #folder: string;
  readonly #rereadMs: number;
  #ca: string;
  #dispatcher: Dispatcher;
  #token = '';
  #read = -Infinity;

  constructor({ folder = FOLDER, rereadMs = REREAD_MS }: ServiceAccountOptions) {
    this.#folder = folder;
    this.#rereadMs = rereadMs;
    this.#ca = readFileSync(join(folder, 'ca.crt'), 'utf8');
    this.#dispatcher = trusting(this.#ca);
  }

  async authorize(): Promise<{ headers: Record<string, string>; dispatcher: Dispatcher }> {
    if (performance.now() - this.#read > this.#rereadMs) await this.#reread();
    return { headers: { Authorization: `Bearer ${this.#token}` }, dispatcher: this.#dispatcher };
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #reread(): Promise<void> {
    const [token, ca] = await Promise.all(
      ['token', 'ca.crt'].map((name) => readFile(join(this.#folder, name), 'utf8')),
    );
    this.#token = token!.trim();
    this.#read = performance.now();
    if (ca === this.#ca) return;
    void this.#dispatcher.close(); // lets the calls that are under way end
    this.#dispatcher = trusting(ca!);
    this.#ca = ca!;
  }
}

function trusting(ca: string): Dispatcher {
  // Half a minute, as in client-go: load balancers drop what is idle for a minute.
  return new Agent({ allowH2: false, connect: { ca, keepAlive: true, keepAliveInitialDelay: 30_000 } });
}
