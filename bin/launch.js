#!/usr/bin/env node
// What `npx tollgate` runs, in JavaScript that an old Node can read: the TypeScript in a clone, the compiled command in the
// npm package. In a clone `make install` has brought the Node that everything runs on.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const NODE = 24;
const clone = fileURLToPath(new URL('tollgate.ts', import.meta.url));
const isClone = existsSync(clone);
const isOld = Number.parseInt(process.versions.node, 10) < NODE;

if (isClone && !isInstalled()) {
  process.stderr.write('tollgate: its packages are not installed; run `make install` in the clone first (once).\n');
  process.exitCode = 2;
} else if (isOld && isClone) runWith(createRequire(import.meta.url).resolve('node/bin/node'));
else if (isOld) {
  process.stderr.write(`tollgate: this is Node ${process.versions.node}; install Node ${NODE} or later.\n`);
  process.exitCode = 2;
} else await import(isClone ? './tollgate.ts' : '../dist/bin/tollgate.js');

/** npm writes this file when it has installed everything. */
function isInstalled() {
  return existsSync(new URL('../node_modules/.package-lock.json', import.meta.url));
}

/** @param {string} node */
function runWith(node) {
  const child = spawn(node, [clone, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}
