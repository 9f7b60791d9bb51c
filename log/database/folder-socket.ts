import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { LogUnreachable } from './database.ts';

// One process at a time can have the folder of a log open, and it answers the others through a socket beside the folder. A
// question is a statement, an answer its rows as JSON; each ends its half of the connection.

type Answer = { readonly rows: readonly unknown[] } | { readonly error: string };

/** Beside the folder, because the folder itself belongs to Postgres. */
const socketOf = (folder: string): string => `${resolve(folder)}.sock`;

/**
 * Answers questions about a folder that this process has open, and returns what ends that. Only the owner of the folder
 * may ask. Without a socket, because its path is too long for the system, nobody is answered.
 */
export async function answerQuestions(
  folder: string,
  read: (sql: string) => Promise<readonly unknown[]>,
): Promise<() => Promise<void>> {
  const path = socketOf(folder);
  rmSync(path, { force: true }); // of a process that was killed; the folder's lock is ours
  const server = createServer({ allowHalfOpen: true }, (socket) => void answer(socket, read));
  try {
    server.listen(path);
    await once(server, 'listening');
    chmodSync(path, 0o600);
  } catch {
    return async () => {};
  }
  server.unref();
  return async () => void server.close();
}

async function answer(socket: Socket, read: (sql: string) => Promise<readonly unknown[]>): Promise<void> {
  socket.unref(); // an open question keeps no process from its end
  socket.on('error', () => {}); // whoever asked has gone
  const said: Answer = await text(socket)
    .then(read)
    .then(
      (rows) => ({ rows }),
      (error: Error) => ({ error: error.message }),
    );
  socket.end(JSON.stringify(said, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value)));
}

/** Asks the process that has the folder open; null if there is none. Throws an Error with what it said. */
export async function askFolder(folder: string, sql: string): Promise<readonly unknown[] | null> {
  const socket = connect(socketOf(folder));
  try {
    await once(socket, 'connect');
  } catch {
    return null;
  }
  socket.end(sql);
  const said = await text(socket);
  if (said === '') throw new LogUnreachable(`the process that has the log's folder ${folder} open has ended`);
  const answer = JSON.parse(said) as Answer;
  if ('error' in answer) throw new Error(answer.error);
  return answer.rows;
}
