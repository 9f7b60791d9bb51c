/** What a stranger does in the first hour: pastes the commands of the pages, and applies the examples, below `make up`. */

import { execFile } from 'node:child_process';
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { environment } from '../../../hack/run/environment.ts';
import { type System, startSystem, stopSystem } from '../../../hack/run/system.ts';
import { kubectl } from '../../../hack/services/kubectl.ts';
import { until } from '../../support/until.ts';
import { shellBlocksOf } from './shell-blocks.ts';

const repository = join(import.meta.dirname, '../../..');
/** Stands for the clone: what `make up` leaves there, and the examples. */
const clone = mkdtempSync(join(tmpdir(), 'tollgate-first-hour-'));
const directory = join(clone, '.run');

let system: System;
const run = (...args: string[]) => kubectl(system.kubeconfig, args);

beforeAll(async () => {
  mkdirSync(directory);
  symlinkSync(join(repository, 'examples'), join(clone, 'examples'));
  system = await startSystem({ directory, replicas: 1, upstream: undefined, anyPorts: true });
  writeFileSync(join(directory, 'env'), environment(system));
});
afterAll(async () => {
  await stopSystem(directory);
  rmSync(clone, { recursive: true });
});

/** The system is up already, stays up, and its commands are those of this tree. */
const PRELUDE = `
make() { :; }
npx() { shift; node '${join(repository, 'bin/launch.js')}' "$@"; }
. .run/env
`;

/** Pastes commands into one shell, which stops at the first that fails, and returns what they print. */
async function paste(scripts: readonly string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], HOME: clone };
  const args = ['-euo', 'pipefail', '-c', PRELUDE + scripts.join('\n')];
  return (await promisify(execFile)('bash', args, { cwd: clone, env, timeout: 200_000 })).stdout;
}

const scriptsOf = (page: string) => shellBlocksOf(page).map(({ script }) => script);

async function query(question: string): Promise<string> {
  const program = join(repository, 'bin/launch.js');
  return (await promisify(execFile)(process.execPath, [program, 'query', question], { env: system.logPlace })).stdout;
}

test('the first budget of the README lets a call through, and the log has it', async () => {
  const scripts = scriptsOf('README.md');
  const at = scripts.findIndex((script) => script.includes('examples/first-budget.yaml'));
  expect(scripts[at - 1]).toContain('make up');
  const said = await paste(scripts.slice(at, at + 1));
  expect(said).toContain('claudebudget.tollgate.dev/first condition met');
  expect(said).toContain('"type":"message"');
  await until(async () => (await query('models')).includes('claude-haiku-4-5'));
});

test('the budget that the README shows is taken', async () => {
  const page = readFileSync(join(repository, 'README.md'), 'utf8');
  const yaml = /^```yaml\n([^]*?)^```/m.exec(page)?.[1] ?? '';
  await run('create', 'namespace', 'shop');
  expect(await kubectl(system.kubeconfig, ['apply', '--dry-run=server', '-f', '-'], yaml)).toContain('assistant-daily');
});

test('the tutorial spends its budget to the end and raises it', async () => {
  const said = await paste(scriptsOf('docs/tutorial/first-budget.md'));
  expect(said).toMatch(/^ +\d+ 200\n +\d+ 429$/m);
  expect(said).toContain('Daily budget of $1.00 reached (first/first).');
  const page = readFileSync(join(repository, 'docs/tutorial/first-budget.md'), 'utf8');
  const figures = [...page.matchAll(/^(?:x-tollgate-cost-usd: .+|(?: +\d+ (?:200|429)\n?)+)$/gm)].map(([text]) => text);
  expect(figures).toHaveLength(2);
  for (const figure of figures) expect(said).toContain(figure.trimEnd());
  expect(said).toMatch(/^claudebudget\.tollgate\.dev\/first condition met\n200$/m);
  await until(async () => (await query('refusals')).includes('BudgetSpent'));
});

test('the page on keys issues, reads, rotates and suspends them, and takes the suspension back', async () => {
  await run('apply', '-f', join(repository, 'examples/features.yaml'));
  await run('wait', '--for=condition=Ready', '--timeout=60s', '-n', 'features', 'cw/chat');
  const scripts = scriptsOf('docs/how-to/keys.md');
  const said = await paste(scripts.slice(0, -1));
  expect(said).toMatch(/^features +chat-web-claude +tollgate\.dev\/key .* chat +web$/m);
  expect(said).toContain('sk-tollgate-');
  const issued = await run('get', 'events', '-n', 'features', '--field-selector=reason=KeyIssued', '-o', 'name');
  expect(issued.trim().split('\n').length).toBeGreaterThan(1);
  const isSuspended = () => run('get', 'cw/chat', '-n', 'features', '-o', 'jsonpath={.spec.suspend}');
  expect(await isSuspended()).toBe('true');
  await paste(scripts.slice(-1));
  expect(await isSuspended()).toBe('false');
  await run('delete', 'namespace', 'features');
});

interface Listed<Item> {
  readonly items: readonly Item[];
}
interface KeySecret {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly data: { readonly ANTHROPIC_API_KEY: string };
}
interface Counted {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly status?: { readonly requests?: number };
}

async function list<Item>(...args: string[]): Promise<readonly Item[]> {
  return (JSON.parse(await run('get', '-A', '-o', 'json', ...args)) as Listed<Item>).items;
}

async function callWith(apiKey: string): Promise<number> {
  const response = await fetch(`${system.gatewayUrls[0]}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: '{"model":"claude-haiku-4-5","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}',
  });
  await response.arrayBuffer();
  return response.status;
}

/** The guardrail for raw keys first, so that it lets the others through; ceilings last, since they refuse larger budgets. */
const EXAMPLES = [
  'guardrails/raw-keys',
  'first-budget',
  'features',
  'environments',
  'checkout-daily',
  'per-customer',
  'organisation',
  'guardrails/egress',
  'guardrails/new-namespaces',
  'guardrails/ceilings',
];

test('the examples are applied as they are: every key can call the stand-in, and every budget counts', async () => {
  const written = globSync('{.,guardrails}/*.yaml', { cwd: join(repository, 'examples') });
  expect(EXAMPLES.map((name) => `${name}.yaml`).toSorted()).toEqual(written.toSorted());
  const index = readFileSync(join(repository, 'examples/README.md'), 'utf8');
  for (const file of written.filter((name) => !name.includes('/'))) expect(index).toContain(`[${file}](${file})`);
  for (const name of EXAMPLES) await run('apply', '-f', join(repository, 'examples', `${name}.yaml`));
  await run('patch', 'cb/first', '-n', 'first', '--type=merge', '-p', '{"spec":{"limit":{"usd":"5.00"}}}'); // the tutorial spent it
  await run('wait', '--for=condition=Ready', '--timeout=60s', '--all', '-A', 'claudeworkspaces,claudebudgets');
  const keys = await list<KeySecret>('secrets', '--field-selector=type=tollgate.dev/key');
  expect(keys.length).toBeGreaterThan(10);
  const answers = keys.map(async ({ metadata, data }) => ({
    key: `${metadata.namespace}/${metadata.name}`,
    status: await callWith(Buffer.from(data.ANTHROPIC_API_KEY, 'base64').toString()),
  }));
  expect((await Promise.all(answers)).filter(({ status }) => status !== 200)).toEqual([]);
  const silent = async () => {
    const budgets = await list<Counted>('claudebudgets');
    return budgets.filter(({ status }) => !status?.requests).map(({ metadata }) => metadata.name);
  };
  await until(async () => (await silent()).length === 0).catch(() => {});
  expect(await silent()).toEqual([]);
});
