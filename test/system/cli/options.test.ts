/** What the commands say of their options. */

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const program = join(import.meta.dirname, '../../../bin/tollgate.ts');

function tollgate(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env: {} });
  return { status, stdout, stderr };
}

test('the help has a line and an example for each command, and the exit codes', () => {
  const { status, stdout } = tollgate('--help');
  expect(status).toBe(0);
  for (const command of ['operator', 'gateway', 'doctor', 'query']) {
    expect(stdout).toMatch(new RegExp(`^  ${command} .* (?:npx )?tollgate ${command}`, 'm'));
  }
  for (const code of [0, 1, 2, 143]) expect(stdout).toMatch(new RegExp(`^(?:Exit code: |.*; )${code} `, 'm'));
});

test.each(['doctor', 'query'])('tollgate %s prints its help', (command) => {
  const help = tollgate(command, '--help');
  expect(help).toMatchObject({ status: 0, stderr: '' });
  expect(help.stdout).toContain(`Usage: tollgate ${command} `);
  expect(help.stdout).toContain('Exit code: 0 ');
});

test.each([
  [
    ['doctor', '--outputs', 'json'],
    "Unknown option '--outputs'. The options are --namespace (-n), --kubeconfig, --context,",
  ],
  [['doctor', '-o', 'yaml'], '--output must be text or json, not "yaml".'],
  [['doctor', 'now'], 'tollgate doctor takes only options, not "now".'],
  [['query', '--teams'], "Unknown option '--teams'. The options are --namespace (-n), --workspace, --since, --limit,"],
  [['query', '--since'], "Option '--since' needs a value. The options are --namespace"],
  [['query', '--since', '-o', 'json'], "Option '--since' needs a value. The options are --namespace"],
  [['query', '--help=1'], "Option '-h, --help' does not take a value. The options are --namespace"],
])('%j is refused with the options that there are', (args, problem) => {
  const { status, stdout, stderr } = tollgate(...args);
  expect([status, stdout, stderr]).toEqual([2, '', expect.stringContaining(problem)]);
  expect(stderr).toContain(`Run tollgate ${args[0]} --help for the`);
  expect(stderr).not.toContain('positional');
});
