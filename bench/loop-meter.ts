/**
 * Preloaded into a gateway, with `?into=<file>`: appends how long its thread worked from one look of a 1 ms timer to the
 * next, which is how long the event loop was held, without the time in which other programs had the processor.
 * Milliseconds, one a line, from 5 on.
 */

import { appendFileSync } from 'node:fs';

const NOTED_MS = 5;

const file = new URL(import.meta.url).searchParams.get('into') ?? '';
let last = worked();
setInterval(() => {
  const now = worked();
  if (now - last >= NOTED_MS) appendFileSync(file, `${Math.round(now - last)}\n`);
  last = now;
}, 1).unref();

function worked(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}
