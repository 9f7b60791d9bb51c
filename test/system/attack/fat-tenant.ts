import { waitFor } from '../../../bench/installation.ts';
import { peakMemoryBytes } from '../../../bench/process-usage.ts';
import { budgets, workspaces } from '../../../crds/kinds.gen.ts';
import type { ClaudeBudget } from '../../../crds/types.gen.ts';
import { KubeClient } from '../../../kube/client.ts';
import { secrets } from '../../../kube/kinds.ts';
import { connectByKubeconfig } from '../../../kube/kubeconfig-connection.ts';
import type { KubeObject } from '../../../kube/object.ts';
import { shardOf } from '../../../policy/shards/shard-format.ts';
import type { Attack, Scene } from './attack.ts';

const NAMESPACE = 'fat-tenant';
/** On everything that the tenant makes. */
const LABEL = { fat: 'yes' };
const VICTIM = 'fat-victim';
const OPERATORS = ['tollgate-operator-1', 'tollgate-operator-2'];
/** How much an operator may need more than before. Bytes. */
const GROWTH = 200 * 2 ** 20;
/** How soon a suspension must be in force. Milliseconds. */
const WITHIN_MS = 30_000;
/** The setting `shards` of the installation. */
const SHARDS = 8;

type Made = KubeObject & { readonly [field: string]: unknown };

/** A tenant fills the shard of another and the memory of the operators, and the other one then suspends its workspace. */
export const fatTenant: Attack = {
  name: 'fat-tenant',
  threat: 'fat resources fill what tenants share, so that the suspension of another is not enforced',
  run: async (scene) => {
    const { installation, tenant, variants, report } = scene;
    const victim = await tenant({ name: VICTIM, capUsd: '1.00' });
    await tenant({ name: NAMESPACE, capUsd: '1.00' });
    const before = memory(scene);
    const client = new KubeClient({ connection: connectByKubeconfig(installation.kubeconfig), random: Math.random });
    try {
      for (const object of fatSecrets(variants * 5)) await client.create(secrets, object);
      for (const name of neighbouringNames(variants)) {
        await client.create<Made>(workspaces, workspace(name, installation.upstream));
        for (let n = 0; n < 12; n++) await client.create<Made>(budgets, fatBudget(`${name}-${n}`, name, 7));
      }
      for (let n = 0; n < variants; n++) await client.create<Made>(budgets, fatBudget(`huge-${n}`, 'app', 64));
      await waitFor(async () => (await tooLarge(client)) > 0, WITHIN_MS);
    } finally {
      await client.close();
    }
    const body = JSON.stringify({
      model: 'claude-sonnet-5-5',
      max_tokens: 1,
      messages: [{ role: 'user', content: 'a' }],
    });
    if ((await victim.send({ body })).status !== 200) report('the neighbour in the full shard is not served');
    const suspend = ['--type=merge', '-p', '{"spec":{"suspend":true}}'];
    await installation.kubectl('patch', 'claudeworkspace', 'app', '-n', VICTIM, ...suspend);
    const suspended = await waitFor(async () => {
      const answers = await Promise.all(installation.gateways.map((_url, i) => victim.send({ body }, i)));
      return answers.every(({ status }) => status !== 200);
    }, WITHIN_MS);
    if (suspended === undefined) report(`the suspension was not enforced within ${WITHIN_MS} ms`);
    const after = memory(scene);
    for (const [i, name] of OPERATORS.entries()) {
      const grown = after[i]! - before[i]!;
      if (grown > GROWTH) report(`${name} needs ${Math.round(grown / 2 ** 20)} MiB more than before`);
    }
    const all = 'claudebudgets,claudeworkspaces,secrets';
    await installation.kubectl('delete', all, '-l', 'fat', '-n', NAMESPACE, '--wait=false');
  },
};

function memory({ installation }: Scene): number[] {
  return OPERATORS.map((name) => peakMemoryBytes(installation.pid(name)) ?? 0);
}

async function tooLarge(client: KubeClient): Promise<number> {
  const { items } = await client.list<ClaudeBudget>(budgets, { namespace: NAMESPACE });
  const reasons = items.flatMap(({ status }) => status?.conditions?.find(({ type }) => type === 'Accepted')?.reason);
  return reasons.filter((reason) => reason === 'TooLarge').length;
}

function fatSecrets(count: number): Made[] {
  const large = Buffer.alloc(1_000_000, 'x').toString('base64');
  return ['upstream-key', 'key'].flatMap((type) =>
    Array.from({ length: count }, (_, i) => ({
      metadata: { namespace: NAMESPACE, name: `${type}-${i}`, labels: LABEL },
      type: `tollgate.dev/${type}`,
      data: { large },
    })),
  );
}

/** Names of workspaces that are in the shard of the victim. */
function neighbouringNames(count: number): string[] {
  const shard = shardOf(`${VICTIM}/app`, SHARDS);
  const names = Array.from({ length: count * 40 }, (_, i) => `w${i}`);
  return names.filter((name) => shardOf(`${NAMESPACE}/${name}`, SHARDS) === shard).slice(0, count);
}

function workspace(name: string, upstream: string): Made {
  const spec = { upstream: { baseURL: upstream, apiKeySecretRef: { name: 'anthropic' } } };
  return { metadata: { namespace: NAMESPACE, name, labels: LABEL }, spec };
}

/** A budget of about four kilobytes for each value. */
function fatBudget(name: string, workspaceName: string, values: number): Made {
  const list = Array.from({ length: values }, (_, i) => `${i}`.padEnd(256, 'ä'));
  const tags = Object.fromEntries(['a', 'b', 'c', 'd'].map((tag) => [tag, list]));
  const scope = { features: list, customers: list, users: list, departments: list, tags };
  return {
    metadata: { namespace: NAMESPACE, name, labels: LABEL },
    spec: { workspaceRef: { name: workspaceName }, scope, limit: { usd: '1.00' }, period: { every: 'Day' } },
  };
}
