import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import pino from 'pino';
import { parseAllDocuments } from 'yaml';
import { assemble } from '../../gateway/assembly.ts';
import { Policy } from '../../gateway/policy.ts';
import { connectLedger } from '../../ledger/redis.ts';
import { compile } from '../../policy/compile.ts';
import { resolveWorkspace } from '../../policy/contents.ts';
import { parseSettings } from '../../policy/settings.ts';
import { EMPTY, carriedOut, sha256, stored } from '../policy/stored.ts';
import { startRedis } from '../support/redis.ts';

const policy = (upstreamUrl: string, status: number) => `
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeWorkspace
metadata: { name: assistant, namespace: clients, uid: w, generation: 1 }
spec:
  upstream: { baseURL: '${upstreamUrl}', apiKeySecretRef: { name: anthropic } }
  keys: [{ name: rich, secretName: rich }, { name: poor, secretName: poor }]
  refusal: { status: ${status} }
---
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeBudget
metadata: { name: plenty, namespace: clients, uid: a, generation: 1 }
spec: { workspaceRef: { name: assistant }, scope: { keys: [rich] }, limit: { usd: '1000.00' }, period: { every: Day, timeZone: UTC } }
---
apiVersion: tollgate.dev/v1alpha1
kind: ClaudeBudget
metadata: { name: pennies, namespace: clients, uid: b, generation: 1 }
spec:
  workspaceRef: { name: assistant }
  scope: { keys: [poor] }
  limit: { usd: '0.01', toleranceUsd: '1.00' }
  period: { every: Day, timeZone: UTC }
`;

const prices = readFileSync(new URL('../../policy/prices.json', import.meta.url), 'utf8');

/** A gateway in this process, with a Redis of its own. */
export interface TestGateway {
  url: string;
  /** Spends the budget of `sk-tollgate-poor`; the next call of that key is refused. */
  spendPennies: () => Promise<void>;
  /** How many calls it refused so far, for any reason. */
  refused: () => Promise<number>;
  close: () => Promise<void>;
}

/**
 * Starts a gateway that enforces one workspace with two keys: `sk-tollgate-rich` has a budget of $1,000 a day,
 * `sk-tollgate-poor` one of a cent. Refusals have the status given.
 */
export async function startGateway(upstreamUrl: string, status = 429): Promise<TestGateway> {
  const settings = parseSettings({ upstreams: [upstreamUrl], shards: 1 });
  const redis = await startRedis();
  const ledger = connectLedger({ url: redis.url, installation: 'clients', epoch: () => EMPTY.epoch });
  await reachable(() => ledger.establish(EMPTY.epoch ?? ''));
  const enforced = new Policy();
  enforced.enforce([workspaceOf(policy(upstreamUrl, status), settings)]);
  enforced.setLoaded();
  const assembly = assemble({
    settings,
    policy: enforced,
    ledger,
    shards: () => ({}),
    pod: 'clients',
    logger: pino({ level: 'silent' }),
    now: Date.now,
    newId: randomUUID,
    hasAdminPort: false,
  });
  await assembly.lifeline.beat();
  const url = `http://127.0.0.1:${await assembly.gateway.listen(0)}`;
  return {
    url,
    spendPennies: () => spendPennies(url),
    refused: async () => sum(await metricsOf(url), /^tollgate_refusals_total\{.*\} (\d+)$/gm),
    close: async () => {
      assembly.gateway.server.closeIdleConnections();
      await assembly.stop();
      ledger.close();
      await redis.stop();
    },
  };
}

function workspaceOf(yaml: string, settings: ReturnType<typeof parseSettings>) {
  const objects = parseAllDocuments(yaml).map((document) => document.toJS() as { kind: string });
  const workspaces = objects
    .filter(({ kind }) => kind === 'ClaudeWorkspace')
    .map((one) => stored(one as { kind: 'ClaudeWorkspace' }));
  const budgets = objects
    .filter(({ kind }) => kind === 'ClaudeBudget')
    .map((one) => stored(one as { kind: 'ClaudeBudget' }));
  const [workspace] = workspaces;
  if (workspace === undefined) throw new Error('no workspace');
  const { namespace, name } = workspace.metadata;
  const ref = `${namespace}/${name}`;
  const secret = { type: 'tollgate.dev/upstream-key', data: { 'api-key': 'sk-ant-upstream' } };
  const hashes = workspace.spec.keys.map((key) => [key.name, sha256(`sk-tollgate-${key.name}`)]);
  const output = compile({
    ...EMPTY,
    settings,
    now: Date.now(),
    workspaces,
    budgets,
    namespaces: new Map([[namespace, {}]]),
    upstreamSecrets: new Map([[`${namespace}/${workspace.spec.upstream.apiKeySecretRef.name}`, secret]]),
    callerKeys: new Map([[ref, Object.fromEntries(hashes)]]),
    prices: { text: prices, fallback: false },
  });
  const { previous } = carriedOut(output);
  const [shard] = previous.policy.values();
  const [keys] = previous.keys.values();
  const compiled = shard?.workspaces.get(ref);
  if (compiled === undefined || previous.shared === null)
    throw new Error(JSON.stringify(output.workspaces.get(ref)?.accepted));
  const resolved = resolveWorkspace(compiled, previous.shared, keys?.credentials.get(ref));
  if ('missing' in resolved) throw new Error(`missing: ${resolved.missing.join(', ')}`);
  return resolved;
}

/** One call of two cents; it is booked a moment after its answer has come. */
async function spendPennies(url: string): Promise<void> {
  const call = { model: 'claude-sonnet-5-5', max_tokens: 2000, messages: [{ role: 'user', content: 'Hello' }] };
  const headers = {
    'x-api-key': 'sk-tollgate-poor',
    'anthropic-version': '2023-06-01',
    'x-stand-in': JSON.stringify({ usage: { output_tokens: 2000 } }),
  };
  await fetch(`${url}/v1/messages`, { method: 'POST', headers, body: JSON.stringify(call) });
  await reachable(async () => {
    if (sum(await metricsOf(url), /^tollgate_open_calls (\d+)$/gm) > 0) throw new Error('the call is not booked');
  });
}

async function metricsOf(url: string): Promise<string> {
  return (await fetch(`${url}/metrics`)).text();
}

function sum(metrics: string, line: RegExp): number {
  return [...metrics.matchAll(line)].reduce((total, [, value]) => total + Number(value), 0);
}

/** Again and again for two seconds: connections are made, and calls are booked, in the background. */
async function reachable<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
