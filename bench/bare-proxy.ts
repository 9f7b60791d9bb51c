import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { Pool } from 'undici';

// The least that a proxy in Node does: node:http in front, undici behind, bodies and answers as streams, nothing else.
// UPSTREAM: where to; PORT: on 127.0.0.1, default any free one.

const pool = new Pool(new URL(process.env['UPSTREAM'] ?? '').origin, { connections: 1024, pipelining: 1 });
const own = new Set(['host', 'connection', 'transfer-encoding', 'keep-alive']);

const server = createServer((request, response) => {
  forward(request, response).catch(() => response.destroy());
});
server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', 4096, () => {
  console.log(JSON.stringify({ level: 'info', msg: 'listening', port: (server.address() as AddressInfo).port }));
});

async function forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', url: path = '/' } = request;
  const answer = await pool.request({ method, path, headers: passed(request.headers), body: request });
  response.writeHead(answer.statusCode, passed(answer.headers));
  await pipeline(answer.body, response);
}

function passed<T>(headers: NodeJS.Dict<T>): NodeJS.Dict<T> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !own.has(name)));
}
