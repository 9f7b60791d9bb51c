import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The environment of a process whose calendar clock is `shiftMs` ahead of ours and whose timers run as ever; what it is
 * given is kept. libfaketime goes before the program's own libraries, and the C library's allocator right behind it:
 * redis-server's jemalloc asks for the time before the time can be answered.
 * @throws Error where libfaketime is not installed.
 */
export function shifted(env: NodeJS.ProcessEnv, shiftMs: number): NodeJS.ProcessEnv {
  const seconds = (shiftMs / 1000).toFixed(3);
  return {
    ...env,
    LD_PRELOAD: `${library()} libc.so.6`,
    FAKETIME: shiftMs < 0 ? seconds : `+${seconds}`,
    DONT_FAKE_MONOTONIC: '1',
  };
}

function library(): string {
  const folders = ['/usr/lib', '/usr/lib64', '/usr/local/lib'].filter((folder) => existsSync(folder));
  const candidates = folders.flatMap((folder) => [folder, ...readdirSync(folder).map((name) => join(folder, name))]);
  const found = candidates
    .map((folder) => join(folder, 'faketime', 'libfaketime.so.1'))
    .find((file) => existsSync(file));
  if (found === undefined) throw new Error('libfaketime is not installed: make install brings it on Debian and Fedora');
  return found;
}
