/** Whether the two ServiceAccounts may do what they must, and nothing that would be dangerous. */

import { isKubeError } from '../../kube/kube-error.ts';
import { SHARED_SHARD, shardNames } from '../../policy/compile/shards.ts';
import { type Finding, fine, listed, problem, unknown, warning } from './finding.ts';
import type { Installation } from './installation.ts';
import { type AccessReview, accessReviews } from './kube-kinds.ts';

/** One thing to do. */
interface Right {
  readonly verb: string;
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly name?: string;
  /** In every namespace, not only the installation's. */
  readonly everywhere?: boolean;
}

const REMEDY = 'helm upgrade brings the roles back; docs/security.md lists them with their reasons.';

/** Asks the API server of each right that operators and gateways need, and of some that gateways must not have. */
export async function checkRights(patient: Installation): Promise<Finding[]> {
  const { policy, keys } = shardNames(patient.settings.shards);
  const shards = [SHARED_SHARD, ...policy];
  try {
    return [
      ...(await accountFindings(patient, 'tollgate-operator', operatorRights(shards))),
      ...(await accountFindings(patient, 'tollgate-gateway', gatewayRights(shards, keys))),
      ...(await excessFindings(patient)),
    ];
  } catch (error) {
    if (!isKubeError(error, 'Forbidden')) throw error;
    return [
      unknown(
        'You may not ask what ServiceAccounts may do.',
        'Run it as somebody who may create subjectaccessreviews.',
      ),
    ];
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

/** The gateway faces every caller. */
const TOO_MUCH: readonly Right[] = [
  { verb: 'list', resource: 'secrets', everywhere: true },
  { verb: 'update', resource: 'configmaps', name: SHARED_SHARD },
  { verb: 'create', resource: 'pods' },
];

async function accountFindings(patient: Installation, account: string, rights: readonly Right[]): Promise<Finding[]> {
  const answers = await Promise.all(rights.map((right) => may(patient, account, right)));
  const lacking = rights.filter((_right, i) => !answers[i]).map(said);
  if (lacking.length === 0) return [fine(`${account} may do all that it must.`)];
  return [problem(`${account} may not ${listed(lacking)}.`, REMEDY)];
}

async function excessFindings(patient: Installation): Promise<Finding[]> {
  const answers = await Promise.all(TOO_MUCH.map((right) => may(patient, 'tollgate-gateway', right)));
  const excess = TOO_MUCH.filter((_right, i) => answers[i]).map(said);
  if (excess.length === 0) return [];
  const remedy = 'Take that from it (kubectl get rolebindings,clusterrolebindings -A -o wide): it faces every caller.';
  return [warning(`tollgate-gateway may ${listed(excess)}.`, remedy)];
}

async function may({ client, namespace }: Installation, account: string, right: Right): Promise<boolean> {
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

function said({ verb, resource, subresource, name, everywhere }: Right): string {
  const what = [resource, subresource ?? name].filter(Boolean).join('/');
  return `${verb} ${what}${everywhere ? ' in every namespace' : ''}`;
}
