import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { LogUnreachable } from './database.ts';

/**
 * Locks a folder for this process and returns the function that releases it. The lock is a name in Linux's abstract
 * socket namespace: it leaves no file behind, and the kernel releases it when the process dies. On other systems (macOS)
 * only the operators' Lease prevents two writers. Throws `LogUnreachable` if another process holds the lock.
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
