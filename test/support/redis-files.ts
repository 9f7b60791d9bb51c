import { cpSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';

// Changes to the files of a Redis that `startRedis` ran in `directory`, while it is stopped.

/** Copies the data aside (also while the server runs: an append-only file is readable at any time). */
export function snapshot(directory: string): string {
  const copy = join(directory, 'snapshot');
  rmSync(copy, { recursive: true, force: true });
  cpSync(data(directory), copy, { recursive: true });
  return copy;
}

/** Replaces the data by that of a snapshot. */
export function restore(directory: string, copy: string): void {
  wipe(directory);
  cpSync(copy, data(directory), { recursive: true });
}

/** Removes all data, as if the volume were not mounted. */
export function wipe(directory: string): void {
  rmSync(data(directory), { recursive: true, force: true });
}

/** How long the append-only file is. Bytes. */
export function tailOf(directory: string): number {
  return statSync(appended(directory)).size;
}

/** Cuts off everything past the first `length` bytes, as a power failure does with what is not on disk yet. */
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
