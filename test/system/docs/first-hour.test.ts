/** What a stranger does in the first hour, on a system as `make up` starts it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type System, startSystem, stopSystem } from '../../../hack/run/system.ts';
import { kubectl } from '../../../hack/services/kubectl.ts';
import { until } from '../../support/until.ts';

const repository = join(import.meta.dirname, '../../..');
const directory = mkdtempSync(join(tmpdir(), 'tollgate-first-hour-'));

let system: System;
const run = (...args: string[]) => kubectl(system.kubeconfig, args);

beforeAll(async () => {
  system = await startSystem({ directory, replicas: 1, upstream: undefined, anyPorts: true });
});
afterAll(async () => {
  await stopSystem(directory);
  rmSync(directory, { recursive: true });
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

describe('the examples, applied as they are', () => {
  /** The guardrail for raw keys first, so that it lets the others through; ceilings last, since they refuse larger budgets. */
  const files = [
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

  test('every key can call the stand-in, and every budget counts', async () => {
    for (const file of files) await run('apply', '-f', join(repository, 'examples', `${file}.yaml`));
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
});
