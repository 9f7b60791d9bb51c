/** What the API server says: its version, the kinds, the Pods, the leader. */

import { isKubeError } from '../../kube/kube-error.ts';
import { KINDS_DOCUMENT, crdSkewOf } from '../../policy/config/crd-skew.ts';
import { type Finding, fine, listed, problem, unknown, warning } from './finding.ts';
import type { Installation } from './installation.ts';
import { type Lease, leases, type Pod } from './kube-kinds.ts';
import { MISSING } from './policy-shards.ts';

const OLDEST = 32;
/** An operator renews its Lease every two seconds, and another one takes it over after fifteen. Milliseconds. */
const LEASE_SILENCE_MS = 30_000;

/** Kubernetes itself. */
export async function checkServer({ client }: Installation): Promise<Finding[]> {
  const { gitVersion } = await client.document<{ gitVersion: string }>('/version');
  const minor = Number(/^v1\.(\d+)/.exec(gitVersion)?.[1] ?? OLDEST);
  if (minor >= OLDEST) return [fine(`Kubernetes ${gitVersion}.`)];
  return [problem(`Kubernetes is ${gitVersion}.`, `Upgrade it: Tollgate needs 1.${OLDEST} or later.`)];
}

/** The two kinds, as the API server serves them. */
export async function checkKinds({ client }: Installation): Promise<Finding[]> {
  const document = await client.document(KINDS_DOCUMENT).catch((error: unknown) => {
    if (isKubeError(error, 'NotFound')) return {};
    throw error;
  });
  const { lacking, unknown: extra } = crdSkewOf(document);
  if (lacking.includes('ClaudeBudget.spec') || lacking.includes('ClaudeWorkspace.spec'))
    return [problem('The CRDs are not installed.', 'Install the chart with crds.enabled, or apply its crds first.')];
  if (lacking.length > 0) {
    const remedy = 'Apply the CRDs of this version (helm upgrade with crds.enabled) before anything else.';
    return [problem(`The CRDs are older than this version: they lack ${listed(lacking)}.`, remedy)];
  }
  if (extra.length > 0) {
    const message = `The CRDs are newer than this version: it takes no notice of ${listed(extra)}.`;
    return [warning(message, 'Upgrade operators and gateways (docs/reference/versions.md).')];
  }
  return [fine('Both kinds are served with every field of this version.')];
}

/** Whether Tollgate is in the namespace at all: its Pods, or what it writes where it runs elsewhere. */
export async function checkNamespace(patient: Installation): Promise<Finding[]> {
  const { shared, policy } = await patient.written();
  const isThere = [shared, ...policy.values()].some((shard) => shard !== MISSING);
  if (isThere || (await patient.pods()).length > 0) return [fine(`Tollgate is in ${patient.namespace}.`)];
  const remedy = 'Say where with --namespace (kubectl get pods -A -l app.kubernetes.io/name=tollgate), or install it.';
  return [problem(`Tollgate is not in ${patient.namespace}.`, remedy)];
}

/** Operators and gateways as Pods, and the stores where they are of the chart. */
export async function checkPods(patient: Installation): Promise<Finding[]> {
  const found = await patient.pods();
  if (found.length === 0)
    return [unknown('No Pod of Tollgate is in the namespace.', 'Where it runs outside of the cluster, look there.')];
  return ['operator', 'gateway', 'redis', 'postgres'].flatMap((part) => {
    const own = found.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === part);
    // Whoever runs a store elsewhere has no Pod of it.
    const isElsewhere = own.length === 0 && (part === 'redis' || part === 'postgres');
    return isElsewhere ? [] : podFindings(part, own);
  });
}

function podFindings(part: string, found: readonly Pod[]): Finding[] {
  if (found.length === 0)
    return [problem(`There is no Pod of the ${part}.`, 'kubectl describe its workload: replicas, quotas, admission.')];
  const ailing = found.filter((pod) => !isReady(pod) && pod.metadata.deletionTimestamp === undefined);
  const images = new Set(found.flatMap(({ status }) => status?.containerStatuses?.map(({ image }) => image) ?? []));
  return [
    ...ailing.map((pod) =>
      problem(
        `${pod.metadata.name} is not ready: ${reasonOf(pod)}.`,
        `kubectl describe pod and kubectl logs --previous of ${pod.metadata.name} say why.`,
      ),
    ),
    ...(images.size > 1
      ? [
          warning(
            `The ${part} runs from ${images.size} images: ${listed([...images])}.`,
            'Wait for the rollout to end (kubectl rollout status), or go back with helm rollback.',
          ),
        ]
      : []),
    ...(ailing.length === 0 ? [fine(`${found.length} of the ${part} ready.`)] : []),
  ];
}

function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

function reasonOf(pod: Pod): string {
  const { conditions, phase } = pod.status ?? {};
  const pending = conditions?.find(({ status, message }) => status === 'False' && message);
  return waitOf(pod) ?? pending?.message?.replace(/\.$/, '') ?? `phase ${phase ?? 'unknown'}`;
}

/** Why a container does not start; the message names the Secret or the image that is not there. */
function waitOf({ status }: Pod): string | undefined {
  const waiting = status?.containerStatuses?.map(({ state }) => state?.waiting).find((state) => state !== undefined);
  return waiting?.message ? `${waiting.reason}: ${waiting.message}` : waiting?.reason;
}

/** The one operator that writes. */
export async function checkLease({ client, namespace, now }: Installation): Promise<Finding[]> {
  const lease = await client.get<Lease>(leases, { namespace, name: 'tollgate-operator' }).catch((error: unknown) => {
    if (isKubeError(error, 'NotFound')) return undefined;
    throw error;
  });
  const holder = lease?.spec?.holderIdentity;
  if (lease === undefined || !holder)
    return [problem('No operator leads, so no edit takes effect.', 'See the Pods and logs of the operator.')];
  const age = now() - Date.parse(lease.spec?.renewTime ?? '');
  if (!(age < LEASE_SILENCE_MS)) {
    const message = `The last operator that led, ${holder}, was heard of ${Math.round(age / 1000)} s ago.`;
    return [problem(message, 'See the Pods and logs of the operator; without one no edit takes effect.')];
  }
  return [fine(`${holder} leads.`)];
}
