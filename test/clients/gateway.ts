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

const prices = readFileSync(new URL('../../policy/prices.json', import.meta.url), 'utf8');

/** A gateway in this process, with a Redis of its own. */
export interface TestGateway {
  url: string;
  /** How many calls it refused so far, for any reason. */
  refused: () => Promise<number>;
  close: () => Promise<void>;
}

/**
 * Starts a gateway that enforces one workspace and its budgets, given in YAML. A caller's key is its key's name after
 * `sk-tollgate-`; the upstream's key is `sk-ant-upstream`.
 */
export async function startGateway(yaml: string, upstreamUrl: string): Promise<TestGateway> {
  const settings = parseSettings({ upstreams: [upstreamUrl], shards: 1 });
  const redis = await startRedis();
  const ledger = connectLedger({ url: redis.url, installation: 'clients', epoch: () => EMPTY.epoch });
  await reachable(() => ledger.establish(EMPTY.epoch ?? ''));
  const policy = new Policy();
  policy.enforce([workspaceOf(yaml, settings)]);
  policy.setLoaded();
  const assembly = assemble({
    settings,
    policy,
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
    refused: async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return [...metrics.matchAll(/^tollgate_refusals_total\{.*\} (\d+)$/gm)].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    },
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

/** The connection is made in the background. */
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
