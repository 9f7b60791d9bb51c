import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** A forward proxy on 127.0.0.1 that connects to the hosts it knows, whatever they are called elsewhere. */
export interface ConnectProxy {
  readonly url: string;
  /** What it was asked to connect to, and what it was shown for that. */
  readonly asked: { readonly target: string; readonly authorization: string | undefined }[];
  readonly stop: () => Promise<void>;
}

/** `hosts`: the port on 127.0.0.1 of each `host:port`; others are refused. */
export async function startConnectProxy(hosts: Readonly<Record<string, number>>): Promise<ConnectProxy> {
  const asked: { target: string; authorization: string | undefined }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => void response.writeHead(405).end());
  server.on('connect', ({ url: target = '', headers }, near: Socket) => {
    asked.push({ target, authorization: headers['proxy-authorization'] });
    const port = hosts[target];
    if (port === undefined) {
      near.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    const far = connect(port, '127.0.0.1', () => {
      near.write('HTTP/1.1 200 Connection established\r\n\r\n');
      far.pipe(near).pipe(far);
    });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => (near.destroy(), far.destroy()));
      socket.on('close', () => (near.destroy(), far.destroy()));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
