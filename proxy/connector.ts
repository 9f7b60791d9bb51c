import type { Socket } from 'node:net';
import { buildConnector, Pool } from 'undici';
import type { ProxyFor } from './proxy-environment.ts';

/** How long a connection may take, the way through a proxy included. Milliseconds. */
const CONNECT_MS = 10_000;

/** The proxy could not be reached, or did not connect to the upstream. Its message never holds the proxy's credentials. */
class ProxyRefused extends Error {
  override readonly name = 'ProxyRefused';
}

/**
 * Connects to upstreams for undici, through the proxy for their origin where there is one: a tunnel (CONNECT) also for plain
 * HTTP, so that the proxy sees no credential of an upstream that has TLS, and each call keeps its headers as they are.
 */
export function upstreamConnector(proxyFor: ProxyFor): buildConnector.connector {
  const direct = buildConnector({ timeout: CONNECT_MS, allowH2: false });
  const proxies = new Map<string, Pool>();
  const poolOf = (proxy: URL): Pool => {
    const pool = proxies.get(proxy.href) ?? new Pool(proxy.origin, { allowH2: false, headersTimeout: CONNECT_MS });
    proxies.set(proxy.href, pool);
    return pool;
  };
  return (options, callback) => {
    const { protocol, hostname, port } = options;
    const proxy = proxyFor(new URL(`${protocol}//${hostname}${port === '' ? '' : `:${port}`}`));
    if (proxy === null) {
      direct(options, callback);
      return;
    }
    const target = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
    poolOf(proxy).connect({ path: target, headers: { host: target, ...authorization(proxy) } }, (error, answer) => {
      // Not undici's error itself: after some of its own it would connect again and again.
      if (error !== null) return callback(new ProxyRefused(`the proxy ${proxy.host}: ${error.message}`), null);
      const socket = answer.socket as Socket; // undici's types promise less
      if (answer.statusCode < 200 || answer.statusCode > 299) {
        socket.on('error', () => {}).destroy();
        const said = `the proxy ${proxy.host} answered ${answer.statusCode} to CONNECT ${target}`;
        return callback(new ProxyRefused(said), null);
      }
      return protocol === 'https:' ? direct({ ...options, httpSocket: socket }, callback) : callback(null, socket);
    });
  };
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const [user, secret] = [username, password].map(decodeURIComponent);
  return { 'proxy-authorization': `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` };
}
