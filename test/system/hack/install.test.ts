import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { kubectl } from '../../../hack/services/kubectl.ts';
import { parseSettings } from '../../../policy/config/settings.ts';
import { cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';
import { render } from '../chart/render.ts';

const root = join(import.meta.dirname, '../../..');
const NAMESPACE = 'tollgate-system';

beforeAll(async () => {
  const apply = ['apply', '--server-side', '--force-conflicts', '-f'];
  await cluster().kubectl(...apply, join(root, 'hack/install'));
  const rightsOfTest = render().filter(({ kind, metadata }) => metadata.name === 'tollgate-test' && kind !== 'Pod');
  await kubectl(
    cluster().kubeconfig,
    [...apply, '-'],
    rightsOfTest.map((each) => JSON.stringify(each)).join('\n---\n'),
  );
});

/** Asks the API server whether a ServiceAccount may do something, e.g. `get secrets/a`. */
async function may(account: string, verb: string, object: string, namespace = NAMESPACE): Promise<boolean> {
  const user = `system:serviceaccount:${NAMESPACE}:${account}`;
  return cluster()
    .kubectl('auth', 'can-i', verb, object, '-n', namespace, '--as', user)
    .then(
      () => true,
      () => false,
    );
}

interface Rule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** All that the API server lets a ServiceAccount do in a namespace; each as `verbs resources names`. */
async function allowed(account: string, namespace: string): Promise<Set<string>> {
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    metadata: { name: 'review' },
    spec: { namespace },
  };
  const user = `--as=system:serviceaccount:${NAMESPACE}:${account}`;
  const answer = await kubectl(
    cluster().kubeconfig,
    ['create', '--validate=false', '-f', '-', '-o', 'json', user],
    JSON.stringify(review),
  );
  const { status } = JSON.parse(answer) as { status: { resourceRules: readonly Rule[] } };
  return new Set(status.resourceRules.map(line));
}

function line({ verbs, apiGroups: [group = ''], resources, resourceNames = [] }: Rule): string {
  const full = resources.map((resource) => {
    const [kind = '', ...sub] = resource.split('/');
    return [group === '' ? kind : `${kind}.${group}`, ...sub].join('/');
  });
  const names = new Set(resourceNames.map((name) => name.replace(/-\d+$/, '-N')));
  return [verbs, full, [...names]].map((part) => part.toSorted().join(',')).join(' ');
}

/** What docs/security.md says that an account may do, in the form of `allowed`. */
function documented(account: string, isOwn: boolean): string[] {
  const page = readFileSync(join(root, 'docs/security.md'), 'utf8');
  const rows = page.split('\n').filter((row) => row.startsWith(`| \`${account}\` |`));
  return rows.flatMap((row) => {
    const [, , where = '', ...cells] = row.split('|').map((cell) => cell.trim());
    const [resources, names, verbs] = cells.map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code!));
    if (where !== 'everywhere' && !isOwn) return [];
    return [[verbs!, resources!, names!].map((part) => part.toSorted().join(',')).join(' ')];
  });
}

describe('the installation', () => {
  test.each(['tollgate-gateway', 'tollgate-operator', 'tollgate-test'])(
    'lets %s do what docs/security.md says, and no more',
    async (account) => {
      for (const namespace of [NAMESPACE, 'default']) {
        const anybody = await allowed('nobody', namespace);
        const own = [...(await allowed(account, namespace))].filter((rule) => !anybody.has(rule));
        expect(own.toSorted()).toEqual(documented(account, namespace === NAMESPACE).toSorted());
      }
    },
  );

  test('has every shard that the settings ask for', async () => {
    const { shards } = parseSettings(null);
    const found = await cluster().kubectl('get', 'configmaps,secrets', '-n', NAMESPACE, '-o', 'name');
    const names = found.split('\n');
    for (let shard = 0; shard < shards; shard++) {
      expect(names).toContain(`configmap/tollgate-policy-${shard}`);
      expect(names).toContain(`secret/tollgate-keys-${shard}`);
      expect(await may('tollgate-gateway', 'watch', `configmaps/tollgate-policy-${shard}`)).toBe(true);
      expect(await may('tollgate-gateway', 'watch', `secrets/tollgate-keys-${shard}`)).toBe(true);
      expect(await may('tollgate-operator', 'update', `configmaps/tollgate-policy-${shard}`)).toBe(true);
    }
  });

  test.each([
    ['list', 'configmaps'],
    ['get', 'configmaps/tollgate-ledger'],
    ['update', 'configmaps/tollgate-policy-0'],
    ['list', 'secrets'],
    ['get', 'secrets/anthropic'],
    ['patch', 'secrets/tollgate-keys-0'],
    ['get', 'claudebudgets.tollgate.dev'],
    ['create', 'events.events.k8s.io'],
    ['create', 'pods'],
  ])('does not let the gateway %s %s', async (verb, object) => {
    expect(await may('tollgate-gateway', verb, object)).toBe(false);
  });

  test('does not let the gateway read a Secret of a tenant', async () => {
    expect(await may('tollgate-gateway', 'get', 'secrets/anthropic', 'default')).toBe(false);
  });

  test.each([
    ['update', 'claudebudgets.tollgate.dev'],
    ['delete', 'claudeworkspaces.tollgate.dev'],
    ['list', 'configmaps'],
    ['create', 'configmaps'],
    ['update', 'configmaps/tollgate-prices'],
    ['delete', 'configmaps/tollgate-ledger'],
    ['delete', 'leases.coordination.k8s.io/tollgate-operator'],
    ['create', 'pods'],
    ['create', 'clusterroles.rbac.authorization.k8s.io'],
  ])('does not let the operator %s %s', async (verb, object) => {
    expect(await may('tollgate-operator', verb, object)).toBe(false);
  });

  test('lets the operator write the Secrets that it makes, and no others', async () => {
    const namespace = await cluster().namespace('secrets');
    const operator = `--as=system:serviceaccount:${NAMESPACE}:tollgate-operator`;
    const create = (type: string, annotations = {}) => {
      const metadata = { name: `made-${type.split('/')[1]}`, namespace, annotations };
      const secret = { apiVersion: 'v1', kind: 'Secret', type, metadata };
      return kubectl(cluster().kubeconfig, ['create', '-f', '-', operator], JSON.stringify(secret));
    };
    const token = 'kubernetes.io/service-account-token';
    // A policy is in force a moment after it was applied.
    await until(() => {
      const made = create(token, { 'kubernetes.io/service-account.name': 'default' });
      return made.then(
        () => false,
        (error: unknown) => String(error).includes('and no others'),
      );
    });
    await create('tollgate.dev/key');
    await cluster().kubectl('delete', 'secret', 'made-key', '-n', namespace, operator);
    await cluster().kubectl('create', 'secret', 'generic', 'another', '-n', namespace);
    await expect(cluster().kubectl('delete', 'secret', 'another', '-n', namespace, operator)).rejects.toThrow(
      'and no others',
    );
  });

  test('lets editors of a namespace set its budgets, and viewers see them', async () => {
    const { kubectl, namespace } = cluster();
    const name = await namespace('tenant');
    for (const role of ['edit', 'view']) {
      await kubectl('create', 'rolebinding', role, `--clusterrole=${role}`, `--user=a-${role}`, '-n', name);
    }
    const allowed = (user: string, verb: string) =>
      kubectl('auth', 'can-i', verb, 'claudebudgets.tollgate.dev', '-n', name, '--as', user).catch(() => 'no\n');
    // The control plane joins the rules to its own roles in its own time.
    await until(async () => (await allowed('a-edit', 'create')) === 'yes\n', 30_000);
    await until(async () => (await allowed('a-view', 'list')) === 'yes\n', 30_000);
    expect(await allowed('a-view', 'create')).toBe('no\n');
  });
});
