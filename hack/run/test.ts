import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type FileTime, timeTable } from './time-table.ts';

// `make test`: runs jest with the given arguments, prints where the time went, and ends with a plain line that says how many
// tests passed and failed.

interface Results {
  success: boolean;
  numPassedTests: number;
  numFailedTests: number;
  /** Test files that could not be run at all. */
  numRuntimeErrorTestSuites: number;
  numPendingTests: number;
  /** Times in milliseconds since the epoch. */
  testResults: readonly { name: string; startTime: number; endTime: number }[];
}

const repository = join(import.meta.dirname, '../..');
// One for each run: .ci/run has two at a time.
const report = join(repository, 'coverage', `results-${process.pid}.json`);
mkdirSync(join(repository, 'coverage'), { recursive: true });

const jest = spawn(
  process.execPath,
  [join(repository, 'node_modules/jest/bin/jest.js'), '--json', `--outputFile=${report}`, ...process.argv.slice(2)],
  {
    cwd: repository,
    // With --json jest prints its results to the standard output too; the readable ones go to the other.
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning' },
  },
);
const status = await new Promise<number>((resolve) => jest.once('close', (code) => resolve(code ?? 1)));

if (existsSync(report)) {
  const results = JSON.parse(readFileSync(report, 'utf8')) as Results;
  rmSync(report);
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  const times = results.testResults.map(({ name, startTime, endTime }): FileTime => ({
    file: relative(repository, name),
    seconds: (endTime - startTime) / 1000,
  }));
  if (times.length > 5) console.log(timeTable(times));
  if (results.numPendingTests > 0) console.log(`${results.numPendingTests} skipped`);
  console.log(`${results.numPassedTests} passed, ${failed} failed`);
  process.exitCode = results.success ? 0 : 1;
} else {
  console.log('0 passed, 1 failed');
  process.exitCode = status || 1;
}
