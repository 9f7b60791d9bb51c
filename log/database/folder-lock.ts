import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { LogUnreachable } from './database.ts';

/**
 * Takes a folder for this process alone and returns what gives it back; the system does so when the process dies.
 * The claim is a name in Linux's abstract namespace of sockets, which leaves nothing behind and cannot be stale; where
 * there is none (macOS), the operators' Lease alone keeps two from writing at once. Throws `LogUnreachable`.
 */
export function lockFolder(folder: string): Promise<() => Promise<void>> {
  if (process.platform !== 'linux') return Promise.resolve(() => Promise.resolve());
  const name = createHash('sha256').update(realpathSync(folder)).digest('hex');
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', () => reject(new LogUnreachable(`another process has the log's folder ${folder} open`)));
    server.listen(`\0tollgate-log-${name}`, () => {
      server.unref();
      resolve(() => new Promise((done) => server.close(() => done())));
    });
  });
}
