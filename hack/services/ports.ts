import { createServer } from 'node:net';

/**
 * Ports below those that Linux gives to connections by itself (the buses of a Redis Cluster are 10,000 above its ports),
 * so that no connection takes one between the search and the start of its process, or while that is restarted. Each
 * process begins its search at another port.
 */
const PORTS = { first: 10_000, count: 10_000 };
let next = process.pid * 37;

/** A port on 127.0.0.1 that is free: the preferred one if it is. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  for (let tries = 0; tries < PORTS.count; tries += 1) {
    const port = PORTS.first + (next++ % PORTS.count);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port on 127.0.0.1');
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
