import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { connectLedger } from '../../../../ledger/redis/connect-ledger.ts';
import { until } from '../../../support/until.ts';

// Servers that answer what no real one can be made to answer at will.

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that speaks Redis' protocol and answers each command as told; '' is no answer. @returns its port. */
async function serve(answer: (command: readonly string[]) => string): Promise<number> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      for (const command of commandsIn(bytes.toString())) socket.write(answer(command));
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function commandsIn(text: string): string[][] {
  return text
    .split(/^\*\d+\r\n/m)
    .filter((command) => command !== '')
    .map((command) => command.split('\r\n').filter((_, i) => i % 2 === 1));
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

test('a slot that is being moved to a server that is gone fails the call and not the process', async () => {
  const fallen: unknown[] = [];
  const take = (reason: unknown) => void fallen.push(reason);
  process.on('unhandledRejection', take);
  const gone = await serve(() => '');
  await new Promise((resolve) => servers.pop()!.close(resolve));
  const port: number = await serve(([name = '', what = '']) => {
    const asked = name.toLowerCase();
    if (asked === 'info') return bulk('role:master\r\nloading:0');
    if (asked === 'evalsha') return `-ASK 100 127.0.0.1:${gone}\r\n`;
    if (asked !== 'cluster') return '+OK\r\n';
    if (what.toLowerCase() === 'info') return bulk('cluster_state:ok');
    return `*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n${bulk('127.0.0.1')}:${port}\r\n${bulk('a'.repeat(40))}`;
  });
  let isReachable = false;
  const ledger = connectLedger({
    url: `redis+cluster://127.0.0.1:${port}`,
    installation: 'moved',
    epoch: () => null,
    onReachable: (reachable) => (isReachable = reachable),
  });
  await until(() => isReachable, 10_000);
  await expect(ledger.operator.state()).rejects.toThrow('Connection is closed');
  await new Promise((resolve) => setTimeout(resolve, 100)); // a rejection is told of after its turn
  expect(fallen).toEqual([]);
  ledger.close();
  process.off('unhandledRejection', take);
});
