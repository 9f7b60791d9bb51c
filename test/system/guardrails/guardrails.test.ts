/** The examples that leave no way around, applied on a real API server. Other tests share it: only labelled namespaces are bound. */

import { readFileSync } from 'node:fs';
import { BlockList, isIPv4 } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments, stringify } from 'yaml';
import { kubectl } from '../../../hack/services/kubectl.ts';
import { cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

const folder = join(import.meta.dirname, '../../../examples/guardrails');
const BOUND = 'guardrails.test/bound';
const KEY = 'sk-ant-api03-not-a-real-key';

interface Resource {
  kind: string;
  metadata: { name: string };
  spec: Record<string, unknown> & {
    matchResources?: { namespaceSelector?: { matchLabels?: Record<string, string> } };
    egress?: { to: { ipBlock?: { cidr: string; except?: string[] } }[] }[];
  };
}

let namespace: string;

beforeAll(async () => {
  const { kubectl: run, apply, namespace: create } = cluster();
  namespace = await create('guarded');
  await run('label', 'namespace', namespace, `${BOUND}=here`);
  for (const file of ['raw-keys', 'ceilings']) {
    const policies = read(file).filter(({ kind }) => kind.startsWith('Validating'));
    for (const { kind, spec } of policies) {
      if (kind.endsWith('Binding')) spec.matchResources!.namespaceSelector!.matchLabels = { [BOUND]: 'here' };
    }
    await apply(policies.map((policy) => stringify(policy)).join('---\n'));
  }
  // The API server takes a policy up in its own time.
  await until(() => refusal(configMap('probe', KEY)), 30_000);
  await until(() => refusal(budget('probe', { limit: { usd: '1000' } })), 30_000);
});

afterAll(async () => {
  const names = ['tollgate-raw-keys', 'tollgate-ceilings'];
  await cluster().kubectl(
    'delete',
    'validatingadmissionpolicybindings,validatingadmissionpolicies',
    '--ignore-not-found',
    ...names,
  );
});

function read(file: string): Resource[] {
  const documents = parseAllDocuments(readFileSync(join(folder, `${file}.yaml`), 'utf8'));
  return documents.map((document) => document.toJS() as Resource);
}

/** What the API server says against an object, or undefined where it takes it. Nothing is stored. */
async function refusal(object: object): Promise<string | undefined> {
  const create = ['create', '--dry-run=server', '-o', 'name', '-f', '-'];
  return kubectl(cluster().kubeconfig, create, JSON.stringify(object)).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

const secret = (values: Record<string, string>, type = 'Opaque') => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'probe', namespace },
  type,
  stringData: values,
});

const configMap = (name: string, value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data: { value },
});

const pod = (env: object[], isInit = false) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'probe', namespace },
  spec: {
    containers: [{ name: 'main', image: 'registry.local/probe:1', env: isInit ? [] : env }],
    initContainers: isInit ? [{ name: 'init', image: 'registry.local/probe:1', env }] : [],
  },
});

const budget = (name: string, spec: object) => ({
  apiVersion: 'tollgate.dev/v1alpha1',
  kind: 'ClaudeBudget',
  metadata: { name, namespace },
  spec: { workspaceRef: { name: 'any' }, period: { every: 'Month' }, ...spec },
});

test('the policies type-check against the kinds that they match', async () => {
  for (const name of ['tollgate-raw-keys', 'tollgate-ceilings']) {
    const checked = await until(async () => {
      const { status, metadata } = JSON.parse(
        await cluster().kubectl('get', 'validatingadmissionpolicy', name, '-o', 'json'),
      ) as { status?: { observedGeneration?: number; typeChecking?: object }; metadata: { generation: number } };
      return status?.observedGeneration === metadata.generation && status;
    });
    expect(checked.typeChecking).toEqual({});
  }
});

describe('raw keys', () => {
  // Base64 has three ways to write the same letters.
  test.each(['', 'x', 'xy', 'xyz', 'export KEY="'])('are found in a Secret behind "%s"', async (before) => {
    expect(await refusal(secret({ value: `${before}${KEY}\n` }))).toContain('type tollgate.dev/upstream-key');
  });

  test('are found in the second of two values', async () => {
    expect(await refusal(secret({ user: 'ada', password: KEY }))).toContain('holds a key of the Anthropic API');
  });

  test('are allowed where Tollgate reads them', async () => {
    expect(await refusal(secret({ 'api-key': KEY }, 'tollgate.dev/upstream-key'))).toBeUndefined();
  });

  test.each(['sk-tollgate-0123456789', 'ask-antelope', 'sk-an', '', '\u0000\u00ff'])('are not "%s"', async (value) => {
    expect(await refusal(secret({ value }))).toBeUndefined();
  });

  test('are found in a ConfigMap, and in the environment of a Pod', async () => {
    expect(await refusal(configMap('probe', `key: ${KEY}`))).toContain('this ConfigMap holds a key');
    expect(await refusal(configMap('probe', 'key: none'))).toBeUndefined();
    const env = [
      { name: 'MODE', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'KEY', value: KEY },
    ];
    expect(await refusal(pod(env))).toContain('by envFrom');
    expect(await refusal(pod(env, true))).toContain('by envFrom');
    expect(await refusal(pod(env.slice(0, 1)))).toBeUndefined();
  });

  test('are found in what a container runs, and in the bytes of a ConfigMap', async () => {
    const image = 'registry.local/probe:1';
    const running = (words: object) => ({ ...pod([]), spec: { containers: [{ name: 'main', image, ...words }] } });
    expect(await refusal(running({ args: ['run', `--key=${KEY}`] }))).toContain('or a command holds a key');
    expect(await refusal(running({ command: ['sh', '-c', `KEY=${KEY} run`] }))).toContain('or a command holds a key');
    expect(await refusal(running({ command: ['run'], args: ['fast'] }))).toBeUndefined();
    const bytes = (text: string) => ({
      ...configMap('probe', ''),
      binaryData: { file: Buffer.from(text).toString('base64') },
    });
    expect(await refusal(bytes(`x${KEY}`))).toContain('this ConfigMap holds a key');
    expect(await refusal(bytes('nothing'))).toBeUndefined();
  });
});

describe('ceilings', () => {
  const daily = (usd: string, rest: object = {}) =>
    budget('probe', { period: { every: 'Day' }, limit: { usd }, ...rest });

  test('a namespace without an annotation has $200 a month, whatever the period', async () => {
    expect(await refusal(budget('probe', { limit: { usd: '200.00' } }))).toBeUndefined();
    expect(await refusal(budget('probe', { limit: { usd: '200.000000001' } }))).toContain('a month may cost $200');
    expect(await refusal(daily('6.45'))).toBeUndefined();
    expect(await refusal(daily('6.46'))).toContain('31 times');
  });

  test('everything that can exceed the limit counts', async () => {
    const limit = { usd: '190' };
    const grants = [{ usd: '5', untilTime: '2026-12-01T00:00:00Z' }];
    expect(await refusal(budget('probe', { limit, grants }))).toBeUndefined();
    const whenSpent = { criticalExtraUsd: '4' };
    expect(await refusal(budget('probe', { limit, grants, whenSpent }))).toBeUndefined();
    expect(await refusal(budget('probe', { limit: { ...limit, toleranceUsd: '1.5' }, grants, whenSpent }))).toContain(
      'lets through more',
    );
    const exempt = { features: ['fraud-check'] };
    expect(await refusal(budget('probe', { limit, whenSpent: { exempt } }))).toContain('leave out whenSpent.exempt');
  });

  test('values of per are capped together', async () => {
    expect(await refusal(budget('probe', { per: ['team'], limit: { usd: '10' } }))).toContain('give limit.totalUsd');
    expect(await refusal(budget('probe', { per: ['team'], limit: { usd: '10', totalUsd: '200' } }))).toBeUndefined();
    expect(await refusal(budget('probe', { per: ['team'], limit: { usd: '10', totalUsd: '201' } }))).toContain('$200');
  });

  test('a budget that observes is refused, except in a pilot that the platform team allowed, until its end', async () => {
    const observing = (end?: string, usd = '200') =>
      refusal(budget('probe', { limit: { usd }, mode: 'Observe', ...(end && { observeUntilTime: end }) }));
    expect(await observing()).toContain('set mode to Enforce');
    expect(await observing('2026-12-31T00:00:00Z')).toContain('tollgate.dev/pilot-until of the namespace');
    const { kubectl: run } = cluster();
    await run('annotate', 'namespace', namespace, 'tollgate.dev/pilot-until=2026-12-31T00:00:00Z');
    await until(async () => (await observing('2026-12-31T01:00:00+01:00')) === undefined);
    expect(await observing()).toContain('set observeUntilTime to 2026-12-31T00:00:00Z or earlier');
    expect(await observing('2026-12-31T00:00:01Z')).toContain('or earlier, when the pilot of this namespace ends');
    // It is enforced with this limit afterwards.
    expect(await observing('2026-12-30T00:00:00Z', '5000')).toContain('a month may cost $200');
    await run('annotate', 'namespace', namespace, 'tollgate.dev/pilot-until-');
  });

  test('the annotation of the namespace decides, and its tenants cannot write it', async () => {
    const { kubectl: run } = cluster();
    await run('annotate', 'namespace', namespace, 'tollgate.dev/ceiling-usd=2000.50', '--overwrite');
    await until(async () => (await refusal(budget('probe', { limit: { usd: '2000.50' } }))) === undefined);
    expect(await refusal(budget('probe', { limit: { usd: '2000.51' } }))).toContain('$2000.50');
    await run('create', 'rolebinding', 'admin', '--clusterrole=admin', '--user=a-tenant', '-n', namespace);
    const may = run('auth', 'can-i', 'update', `namespaces/${namespace}`, '-n', namespace, '--as', 'a-tenant');
    await expect(may).rejects.toThrow('no');
    await run('annotate', 'namespace', namespace, 'tollgate.dev/ceiling-usd=much', '--overwrite');
    expect(await until(() => refusal(budget('probe', { limit: { usd: '1' } })))).toContain('tollgate-ceilings');
    await run('annotate', 'namespace', namespace, 'tollgate.dev/ceiling-usd-');
  });
});

describe('egress', () => {
  const policies = read('egress');
  /** Whether a policy lets its Pods send to an address outside of the cluster. */
  const lets = ({ spec }: Resource, address: string) => {
    const blocks = spec.egress!.flatMap(({ to }) => to.flatMap(({ ipBlock }) => ipBlock ?? []));
    return blocks.some(({ cidr, except = [] }) => holds([cidr], address) && !holds(except, address));
  };

  test.each(policies.map((policy) => [policy.metadata.name, policy] as const))('%s is taken', async (_, policy) => {
    expect(await refusal({ ...policy, metadata: { ...policy.metadata, namespace } })).toBeUndefined();
  });

  test('nothing lets a Pod reach the addresses of the API', () => {
    for (const address of ['160.79.104.10', '160.79.105.200', '2607:6bc0::10']) {
      expect(policies.filter((policy) => lets(policy, address))).toEqual([]);
    }
  });

  test('only the weaker policy opens the Internet', () => {
    const open = (address: string) =>
      policies.filter((policy) => lets(policy, address)).map(({ metadata }) => metadata.name);
    expect(open('203.0.113.7')).toEqual(['internet-without-claude']);
    expect(open('2001:db8::7')).toEqual(['internet-without-claude']);
    expect(open('10.1.2.3')).toContain('claude-through-tollgate');
  });
});

function holds(cidrs: readonly string[], address: string): boolean {
  const list = new BlockList();
  const family = (text: string) => (isIPv4(text) ? 'ipv4' : 'ipv6');
  const nets = cidrs.map((cidr) => cidr.split('/') as [string, string]);
  // To a BlockList an IPv4 address is an IPv6 one too.
  for (const [net, bits] of nets.filter(([net]) => family(net) === family(address)))
    list.addSubnet(net, Number(bits), family(net));
  return list.check(address, family(address));
}

test('spanning budgets are accepted in the namespace of the installation', async () => {
  for (const one of [...read('ceilings'), ...read('new-namespaces')].filter(({ kind }) => kind === 'ClaudeBudget')) {
    expect(one.metadata).toMatchObject({ namespace: 'tollgate-system' });
    expect(
      await refusal({ ...one, metadata: { ...one.metadata, namespace: await cluster().namespace('spanning') } }),
    ).toBeUndefined();
  }
});
