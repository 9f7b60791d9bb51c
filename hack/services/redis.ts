import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { type Child, type Launch, launch } from './processes.ts';

/** Where and how Redis runs. The same directory, port and password bring back what was there. */
export interface RedisOptions {
  /** Holds the configuration, the data and `logs/redis.log`. */
  directory: string;
  port?: number;
  password?: string;
  /** How it is started; by default it ends with this process. */
  launch?: Launch;
  /** Lines added to redis.conf, e.g. `maxmemory 10mb`. */
  configuration?: string[];
}

/** A redis-server with a password and an append-only file. */
export interface Redis extends Child {
  port: number;
  password: string;
  /** With the password in it: never print it. */
  url: string;
}

/** Starts redis-server on 127.0.0.1 and returns once it answers. */
export async function startRedis(options: RedisOptions): Promise<Redis> {
  const { directory, configuration = [] } = options;
  const port = options.port ?? (await freePort());
  const password = options.password ?? randomBytes(18).toString('hex');
  const data = join(directory, 'redis');
  mkdirSync(data, { recursive: true });
  const file = join(directory, 'redis.conf');
  const lines = [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${JSON.stringify(data)}`,
    'appendonly yes',
    'appendfsync everysec',
    'save ""',
    ...configuration,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  const child = await (options.launch ?? launch)(
    { name: 'redis', command: 'redis-server', args: [file], logFile: join(directory, 'logs', 'redis.log') },
    () => answers(port, password),
  );
  return { ...child, port, password, url: `redis://:${password}@127.0.0.1:${port}` };
}

/** Whether Redis takes the password and has finished loading its file. */
function answers(port: number, password: string): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let reply = '';
    socket.setEncoding('utf8').setTimeout(1000, () => socket.destroy());
    socket.on('connect', () => socket.write(`AUTH ${password}\r\nPING\r\nQUIT\r\n`));
    socket.on('data', (text: string) => (reply += text));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(reply.includes('+PONG') ? true : undefined));
  });
}
