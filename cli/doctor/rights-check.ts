/** Checks the rights of the two ServiceAccounts: all that they need, and none that is dangerous. */

import { isKubeError } from '../../kube/kube-error.ts';
import { SHARED_SHARD, shardNames } from '../../policy/shards/shard-format.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Finding, type Findings, fine, listed, problem, unknown, warning } from './finding.ts';
import { type AccessReview, accessReviews } from './kube-kinds.ts';

interface Right {
  readonly verb: string;
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  /** In every namespace, not only the installation's. */
  readonly everywhere?: boolean;
}

const REMEDY = 'helm upgrade restores the roles; docs/security.md lists them with their reasons.';

/** Checks each right that operators and gateways need, and some that gateways must not have. */
export async function checkRights(installation: CheckedInstallation): Promise<Findings> {
  const { policy, keys } = shardNames(installation.settings.shards);
  const shards = [SHARED_SHARD, ...policy];
  try {
    return [
      await accountFinding(installation, 'tollgate-operator', operatorRights(shards)),
      await accountFinding(installation, 'tollgate-gateway', gatewayRights(shards, keys)),
      await excessFinding(installation),
    ];
  } catch (error) {
    if (!isKubeError(error, 'Forbidden')) throw error;
    const remedy = 'Run it with the right to create subjectaccessreviews.';
    return [unknown('Permission denied: the rights of ServiceAccounts cannot be read.', remedy)];
  }
}

function operatorRights(shards: readonly string[]): Right[] {
  const kinds = ['claudeworkspaces', 'claudebudgets'];
  const group = 'tollgate.dev';
  return [
    ...kinds.map((resource) => ({ verb: 'watch', group, resource, everywhere: true })),
    ...kinds.map((resource) => ({ verb: 'patch', group, resource, subresource: 'status', everywhere: true })),
    { verb: 'watch', resource: 'namespaces', everywhere: true },
    ...['watch', 'create', 'update', 'delete'].map((verb) => ({ verb, resource: 'secrets', everywhere: true })),
    { verb: 'create', group: 'events.k8s.io', resource: 'events', everywhere: true },
    ...shards.map((name) => ({ verb: 'update', resource: 'configmaps', name })),
    { verb: 'patch', resource: 'configmaps', name: 'tollgate-ledger' },
    { verb: 'update', group: 'coordination.k8s.io', resource: 'leases', name: 'tollgate-operator' },
    { verb: 'watch', group: 'discovery.k8s.io', resource: 'endpointslices' },
  ];
}

function gatewayRights(shards: readonly string[], keys: readonly string[]): Right[] {
  return [
    ...shards.map((name) => ({ verb: 'watch', resource: 'configmaps', name })),
    ...keys.map((name) => ({ verb: 'watch', resource: 'secrets', name })),
  ];
}

/** Rights that the gateway must not have, since every caller can reach it. */
const FORBIDDEN_RIGHTS: readonly Right[] = [
  { verb: 'list', resource: 'secrets', everywhere: true },
  { verb: 'update', resource: 'configmaps', name: SHARED_SHARD },
  { verb: 'create', resource: 'pods' },
];

async function accountFinding(
  installation: CheckedInstallation,
  account: string,
  rights: readonly Right[],
): Promise<Finding> {
  const { false: lacking = [] } = await reviewed(installation, account, rights);
  if (lacking.length === 0) return fine(`${account} has all rights that it needs.`);
  return problem(`${account} may not ${listed(lacking)}.`, REMEDY);
}

async function excessFinding(installation: CheckedInstallation): Promise<Finding | false> {
  const { true: excess = [] } = await reviewed(installation, 'tollgate-gateway', FORBIDDEN_RIGHTS);
  const remedy =
    'Remove that right (kubectl get rolebindings,clusterrolebindings -A -o wide): every caller can reach the gateway.';
  return excess.length > 0 && warning(`tollgate-gateway may ${listed(excess)}.`, remedy);
}

/** The texts of the rights, by whether the account has them. */
async function reviewed(installation: CheckedInstallation, account: string, rights: readonly Right[]) {
  const answers = await Promise.all(rights.map((right) => isAllowed(installation, account, right)));
  return Object.groupBy(rights.map(rightText), (_text, i) => (answers[i] ? 'true' : 'false'));
}

async function isAllowed({ client, namespace }: CheckedInstallation, account: string, right: Right): Promise<boolean> {
  const { verb, group = '', resource, subresource = '', name = '', everywhere = false } = right;
  const { status } = await client.create<AccessReview>(accessReviews, {
    metadata: { name: '' },
    spec: {
      user: `system:serviceaccount:${namespace}:${account}`,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      resourceAttributes: { verb, group, resource, subresource, name, namespace: everywhere ? '' : namespace },
    },
  });
  return status?.allowed === true;
}

function rightText({ verb, resource, subresource, name, everywhere }: Right): string {
  const what = [resource, subresource ?? name].filter(Boolean).join('/');
  return `${verb} ${what}${everywhere ? ' in every namespace' : ''}`;
}
