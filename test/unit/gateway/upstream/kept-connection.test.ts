import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { buildConnector, type Dispatcher } from 'undici';
import { KeptClient, StaleConnection } from '../../../../gateway/upstream/kept-connection.ts';

let server: Server;
let sockets: Socket[];
let client: KeptClient;
let connect: buildConnector.connector;

beforeEach(async () => {
  sockets = [];
  connect = buildConnector({});
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  client = new KeptClient(`http://127.0.0.1:${port}`, { connect: (to, callback) => connect(to, callback) });
});

afterEach(async () => {
  await client.destroy();
  server.close();
});

/** Sends a request; whether it was begun, and its error. */
function send(): Promise<{ begun: boolean; error: Error | null }> {
  let begun = false;
  return new Promise((resolve) => {
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => {
        begun = true;
      },
      onResponseEnd: () => resolve({ begun, error: null }),
      onResponseError: (_, error) => resolve({ begun, error }),
    };
    client.dispatch({ path: '/', method: 'POST', body: 'x' }, handler);
  });
}

/** Runs in the phase of timers, so that undici sees what comes from the network before it sends. */
function inTimer<T>(action: () => Promise<T>): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(action()), 1));
}

test('a connection that is reset before a waiting request is begun is stale', async () => {
  expect(await send()).toEqual({ begun: true, error: null });
  const { begun, error } = await inTimer(() => {
    const sent = send();
    sockets[0]!.resetAndDestroy();
    return sent;
  });
  expect(begun).toBe(false);
  expect(error).toBeInstanceOf(StaleConnection);
});

test('a connection that cannot be made is not stale, also where one was kept before', async () => {
  await send();
  const closed = once(client, 'disconnect');
  sockets[0]!.destroy();
  await closed;
  connect = (_, callback) => callback(Object.assign(new Error('reset'), { code: 'ECONNRESET' }), null);
  const { error } = await send();
  expect(error).toMatchObject({ code: 'ECONNRESET' });
  expect(error).not.toBeInstanceOf(StaleConnection);
});

test('the first connection of a client is never stale', async () => {
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    socket.on('error', () => undefined).once('data', () => socket.resetAndDestroy());
  });
  const { begun, error } = await send();
  expect([begun, error instanceof StaleConnection]).toEqual([true, false]);
});
