import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** How a connection ends instead of a request being answered. */
export interface Closing {
  /** Connections that have carried a request before, those that have not, or all. */
  readonly on: 'Reused' | 'New' | 'All';
  readonly how: 'Reset' | 'Close';
  /** Called when the request has come; default: at once. */
  readonly after?: () => Promise<unknown>;
  /** What is sent before. */
  readonly bytes?: string;
  /** The request reaches the server all the same; only its answer is lost. */
  readonly arrives?: boolean;
}

/** A way to an HTTP server that ends connections as servers and load balancers do which close what is idle. */
export interface ClosingProxy {
  readonly url: string;
  readonly port: number;
  /** How many connections were opened, and how many requests came. */
  readonly seen: { connections: number; requests: number };
  /** What becomes of the requests from here on; null: they are answered. */
  close: (closing: Closing | null) => void;
  /** Resets every connection at once. */
  resetAll: () => void;
  readonly stop: () => Promise<void>;
}

/** Opens a way to `port` on 127.0.0.1. */
export async function startClosingProxy(port: number): Promise<ClosingProxy> {
  const sockets = new Set<Socket>();
  const seen = { connections: 0, requests: 0 };
  let closing: Closing | null = null;

  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    let requests = 0;
    let isLost = false;
    seen.connections += 1;
    sockets.add(near);
    near.on('data', (bytes) => {
      if (/^(POST|GET) /.test(bytes.toString('latin1', 0, 5))) {
        const isMeant = closing !== null && [requests > 0 ? 'Reused' : 'New', 'All'].includes(closing.on);
        seen.requests += 1;
        requests += 1;
        if (isMeant) void end(near, closing!);
        isLost = isMeant && closing!.arrives !== true;
        if (isMeant) far.removeAllListeners('data').resume();
      }
      if (!isLost) far.write(bytes);
    });
    far.on('data', (bytes) => near.write(bytes));
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.on('error', () => undefined);
    near.on('close', () => {
      sockets.delete(near);
      // What has arrived is answered, and billed, to its end.
      if (closing?.arrives !== true) far.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${own}`,
    port: own,
    seen,
    close: (one) => {
      closing = one;
    },
    resetAll: () => {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

async function end(near: Socket, { how, after, bytes }: Closing): Promise<void> {
  await after?.();
  if (bytes !== undefined) await new Promise((resolve) => near.write(bytes, resolve));
  if (how === 'Reset') near.resetAndDestroy();
  else near.end();
}
