import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Agent, type Dispatcher } from 'undici';
import type { Connection } from './connection.ts';

/** Where clusters mount the credential of a Pod. */
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The cluster renews the token in its file long before it expires. Milliseconds. */
const REREAD_MS = 60_000;

/** The variables that tell a Pod where its API server is. */
export interface PodEnvironment {
  readonly KUBERNETES_SERVICE_HOST?: string | undefined;
  readonly KUBERNETES_SERVICE_PORT?: string | undefined;
}

interface ServiceAccountOptions {
  /** Default: where clusters mount it. */
  readonly folder?: string;
  /** How long a token is used before its file is read again. Milliseconds, default a minute. */
  readonly rereadMs?: number;
}

/**
 * Connects as the ServiceAccount of the Pod. Not by client-node, which does no more than this in a Pod and takes 85 MB of
 * memory (docs/decisions/0017).
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
    void this.#dispatcher.close(); // calls in flight end first
    this.#dispatcher = trusting(ca!);
    this.#ca = ca!;
  }
}

function trusting(ca: string): Dispatcher {
  // 30 s, as in client-go: load balancers drop connections that are idle for a minute.
  return new Agent({ allowH2: false, connect: { ca, keepAlive: true, keepAliveInitialDelay: 30_000 } });
}
