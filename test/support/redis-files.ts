import { cpSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

// What happens to the files of a Redis that `startRedis` runs in `directory`, while it is stopped.

/** Copies the data aside (also while the server runs: an append-only file is readable at any time). */
export function snapshot(directory: string): string {
  const copy = join(directory, 'snapshot');
  rmSync(copy, { recursive: true, force: true });
  cpSync(data(directory), copy, { recursive: true });
  return copy;
}

/** Puts the data of a snapshot in the place of what is there. */
export function restore(directory: string, copy: string): void {
  wipe(directory);
  cpSync(copy, data(directory), { recursive: true });
}

/** The volume that was not mounted. */
export function wipe(directory: string): void {
  rmSync(data(directory), { recursive: true, force: true });
}

/** How long the append-only file is. Bytes. */
export function tailOf(directory: string): number {
  return statSync(appended(directory)).size;
}

/** What the disk had not written yet when the power failed: everything past the first `length` bytes. */
export function cutTail(directory: string, length: number): void {
  truncateSync(appended(directory), length);
}

function data(directory: string): string {
  return join(directory, 'redis');
}

function appended(directory: string): string {
  const folder = join(data(directory), 'appendonlydir');
  const [last] = readdirSync(folder)
    .filter((name) => name.endsWith('.incr.aof'))
    .toSorted()
    .toReversed();
  return join(folder, last!);
}
