import type { RequestOptions } from 'node:https';
import { delimiter } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import { Agent, type buildConnector, type Dispatcher, ProxyAgent } from 'undici';
import type { Connection } from './client.ts';

/**
 * Connects by the files of KUBECONFIG, which the system's path delimiter separates. `context` replaces the current context.
 * @throws Error if it names no cluster.
 */
export function connectByKubeconfig(kubeconfig: string, context?: string): Connection {
  const config = new KubeConfig();
  loadFiles(config, kubeconfig.split(delimiter));
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null)
    throw new Error('the kubeconfig has no current cluster: choose one with kubectl config use-context');
  const pool = new Pool(config);
  return { server: cluster.server.replace(/\/$/, ''), authorize: () => pool.authorize(), close: () => pool.close() };
}

function loadFiles(config: KubeConfig, [first = '', ...others]: readonly string[]): void {
  config.loadFromFile(first);
  for (const file of others) {
    const other = new KubeConfig();
    other.loadFromFile(file);
    config.mergeConfig(other);
  }
}

/**
 * One dispatcher for all calls, replaced only when the CA or the client certificate has changed. client-node makes one for
 * each call, whose connections are never reused or closed.
 */
class Pool {
  readonly #config: KubeConfig;
  #dispatcher: Dispatcher | undefined;
  #made = '';

  constructor(config: KubeConfig) {
    this.#config = config;
  }

  async authorize(): Promise<{ headers: Record<string, string>; dispatcher: Dispatcher }> {
    const options: RequestOptions = { headers: {} };
    await this.#config.applyToHTTPSOptions(options);
    const headers = { ...(options.headers as Record<string, string>) };
    if (options.auth) headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    return { headers, dispatcher: this.#pooled(options) };
  }

  async close(): Promise<void> {
    await this.#dispatcher?.destroy();
  }

  #pooled({ ca, cert, key, rejectUnauthorized, servername }: RequestOptions): Dispatcher {
    const tls = { ca, cert, key, rejectUnauthorized, servername };
    const made = Object.values(tls).map(String).join('\n');
    if (this.#dispatcher !== undefined && this.#made === made) return this.#dispatcher;
    void this.#dispatcher?.close(); // calls in flight end first
    const given = Object.entries(tls).filter(([, value]) => value !== undefined);
    this.#dispatcher = dispatcherOf(this.#config.getCurrentCluster()?.proxyUrl, Object.fromEntries(given));
    this.#made = made;
    return this.#dispatcher;
  }
}

function dispatcherOf(proxy: string | undefined, tls: ConnectionOptions): Dispatcher {
  // 30 s, as in client-go: load balancers drop connections that are idle for a minute.
  const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000 } as buildConnector.BuildOptions;
  if (proxy === undefined) return new Agent({ allowH2: false, connect });
  return new ProxyAgent({ uri: proxy, allowH2: false, requestTls: connect });
}
