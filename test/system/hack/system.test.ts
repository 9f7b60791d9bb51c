import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { type System, startSystem, stopSystem } from '../../../hack/run/system.ts';
import { kubectl } from '../../../hack/services/kubectl.ts';
import { until } from '../../support/until.ts';

const directory = mkdtempSync(join(tmpdir(), 'tollgate-system-'));
const example = join(import.meta.dirname, '../../../examples/first-budget.yaml');

afterAll(async () => {
  await stopSystem(directory);
  rmSync(directory, { recursive: true });
});

/** Pids by name, as the registry has them. */
function pids(): Record<string, number> {
  const { entries } = JSON.parse(readFileSync(join(directory, 'processes.json'), 'utf8')) as {
    entries: Record<string, { pid: number }>;
  };
  return Object.fromEntries(Object.entries(entries).map(([name, { pid }]) => [name, pid]));
}

async function callThrough(gateway: string, apiKey: string): Promise<number> {
  const response = await fetch(`${gateway}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' },
    body: '{"model":"claude-haiku-4-5","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}',
  });
  await response.arrayBuffer();
  return response.status;
}

/** Waits until the status shows so many calls, and returns what they cost. */
async function spentAfter({ kubeconfig }: System, requests: number): Promise<string> {
  const condition = `--for=jsonpath={.status.requests}=${requests}`;
  await kubectl(kubeconfig, ['wait', condition, '--timeout=30s', '-n', 'first', 'cb/first']);
  return kubectl(kubeconfig, ['get', 'cb', 'first', '-n', 'first', '-o', 'jsonpath={.status.spentUsd}']);
}

test('the system comes up, is repaired and scaled without losing spend, and leaves nothing behind', async () => {
  const first = await startSystem({ directory, replicas: 1, upstream: undefined, supervised: true });
  const yaml = readFileSync(example, 'utf8').replace('every: Day', 'every: Year'); // whatever the time is

  await kubectl(first.kubeconfig, ['apply', '-f', '-'], yaml);
  await kubectl(first.kubeconfig, ['wait', '--for=condition=Programmed', '--timeout=30s', '-n', 'first', 'cb/first']);
  const secret = ['get', 'secret', 'first-claude', '-n', 'first', '-o', 'jsonpath={.data.ANTHROPIC_API_KEY}'];
  const apiKey = Buffer.from(await kubectl(first.kubeconfig, secret), 'base64').toString();
  expect(await callThrough(first.gatewayUrls[0] ?? '', apiKey)).toBe(200);
  const spent = Number(await spentAfter(first, 1));
  expect(spent).toBeGreaterThan(0);

  process.kill(pids()['tollgate-gateway-1'] ?? 0, 'SIGKILL');
  await until(async () => (await callThrough(first.gatewayUrls[0] ?? '', apiKey)) === 200);
  expect(Number(await spentAfter(first, 2))).toBeCloseTo(2 * spent, 9);

  const before = pids();
  for (const name of ['etcd', 'redis', 'tollgate-gateway-1']) process.kill(before[name] ?? 0, 'SIGKILL');
  const second = await startSystem({ directory, replicas: 2, upstream: undefined, supervised: true });
  expect(second.gatewayUrls[0]).toBe(first.gatewayUrls[0]);
  expect(second.gatewayUrls).toHaveLength(2);
  const after = pids();
  expect(after['tollgate-gateway-1']).not.toBe(before['tollgate-gateway-1']);
  expect(after['tollgate-operator-1']).toBe(before['tollgate-operator-1']);
  expect(after['upstream']).toBe(before['upstream']);
  for (const gateway of second.gatewayUrls) expect(await callThrough(gateway, apiKey)).toBe(200);
  expect(Number(await spentAfter(second, 4))).toBeCloseTo(4 * spent, 9);

  await stopSystem(directory);
  expect(pids()).toEqual({});
  for (const gateway of second.gatewayUrls) await expect(callThrough(gateway, apiKey)).rejects.toThrow('fetch failed');
});
