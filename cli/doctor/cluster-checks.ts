/** Checks what the API server knows: its version, the CRDs, the Pods, the leader. */

import { type Lease, leases } from '../../kube/kinds.ts';
import { undefinedIf } from '../../kube/kube-error.ts';
import { KINDS_DOCUMENT, crdSkewOf } from '../../policy/config/crd-skew.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Findings, counted, fine, listed, problem, unknown, warning } from './finding.ts';
import type { Pod } from './kube-kinds.ts';
import { MISSING } from './policy-shards.ts';

const OLDEST = 32;
/** An operator renews its Lease every 2 s, and another one takes it over after 15 s. Milliseconds. */
const LEASE_SILENCE_MS = 30_000;

export async function checkServer({ client }: CheckedInstallation): Promise<Findings> {
  const { gitVersion } = await client.document<{ gitVersion: string }>('/version');
  const minor = Number(/^v1\.(\d+)/.exec(gitVersion)?.[1] ?? OLDEST);
  if (minor >= OLDEST) return [fine(`Kubernetes ${gitVersion}.`)];
  return [problem(`Kubernetes is ${gitVersion}.`, `Upgrade it: Tollgate needs 1.${OLDEST} or later.`)];
}

/** Checks that the API server serves both kinds with the fields of this version. */
export async function checkKinds({ client }: CheckedInstallation): Promise<Findings> {
  const document = await client.document(KINDS_DOCUMENT).catch(undefinedIf('NotFound'));
  const { lacking, unknown: extra } = crdSkewOf(document ?? {});
  if (lacking.includes('ClaudeBudget.spec') || lacking.includes('ClaudeWorkspace.spec'))
    return [problem('The CRDs are not installed.', 'Install the chart with crds.enabled, or apply its CRDs first.')];
  if (lacking.length > 0) {
    const remedy = 'Apply the CRDs of this version (helm upgrade with crds.enabled) before anything else.';
    return [problem(`The CRDs are older than this version: they lack ${listed(lacking)}.`, remedy)];
  }
  if (extra.length > 0) {
    const message = `The CRDs are newer than this version, which ignores ${listed(extra)}.`;
    return [warning(message, 'Upgrade operators and gateways (docs/reference/versions.md).')];
  }
  return [fine('Both kinds are served with every field of this version.')];
}

/** Checks that Tollgate is in the namespace: its Pods, or its shards if it runs outside the cluster. */
export async function checkNamespace(installation: CheckedInstallation): Promise<Findings> {
  const { shared, policy } = await installation.shards();
  const isThere = [shared, ...policy.values()].some((shard) => shard !== MISSING);
  if (isThere || (await installation.pods()).length > 0) return [fine(`Tollgate is in ${installation.namespace}.`)];
  const remedy =
    'Name its namespace by --namespace (kubectl get pods -A -l app.kubernetes.io/name=tollgate), or install it.';
  return [problem(`Tollgate is not in ${installation.namespace}.`, remedy)];
}

/** Checks the Pods of operator and gateway, and of the bundled stores. */
export async function checkPods(installation: CheckedInstallation): Promise<Findings> {
  const found = await installation.pods();
  if (found.length === 0)
    return [unknown('The namespace has no Pod of Tollgate.', 'If it runs outside the cluster, check it there.')];
  return ['operator', 'gateway', 'redis', 'postgres'].flatMap((part) => {
    const own = found.filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === part);
    // An external store has no Pod.
    const isElsewhere = own.length === 0 && (part === 'redis' || part === 'postgres');
    return isElsewhere ? [] : podFindings(part, own);
  });
}

function podFindings(part: string, found: readonly Pod[]): Findings {
  if (found.length === 0)
    return [problem(`The ${part} has no Pod.`, 'kubectl describe its workload: replicas, quotas, admission.')];
  const unready = found.filter((pod) => !isReady(pod) && pod.metadata.deletionTimestamp === undefined);
  const images = new Set(found.flatMap(({ status }) => status?.containerStatuses?.map(({ image }) => image) ?? []));
  return [
    ...unready.map((pod) =>
      problem(
        `${pod.metadata.name} is not ready: ${reasonOf(pod)}.`,
        `kubectl describe pod and kubectl logs --previous of ${pod.metadata.name} say why.`,
      ),
    ),
    images.size > 1 &&
      warning(
        `The ${part} runs ${images.size} different images: ${listed([...images])}.`,
        'Wait for the rollout to end (kubectl rollout status), or go back with helm rollback.',
      ),
    unready.length === 0 && fine(`${counted(found.length, `${part} Pod is`, `${part} Pods are`)} ready.`),
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

/** Why a container does not start; the message names the missing Secret or image. */
function waitOf({ status }: Pod): string | undefined {
  const waiting = status?.containerStatuses?.map(({ state }) => state?.waiting).find((state) => state !== undefined);
  return waiting?.message ? `${waiting.reason}: ${waiting.message}` : waiting?.reason;
}

export async function checkLease({ client, namespace, now }: CheckedInstallation): Promise<Findings> {
  const ref = { namespace, name: 'tollgate-operator' };
  const lease = await client.get<Lease>(leases, ref).catch(undefinedIf('NotFound'));
  const { holderIdentity: holder, renewTime = '' } = lease?.spec ?? {};
  if (!holder)
    return [problem('No operator leads, so no edit takes effect.', 'Check the Pods and logs of the operator.')];
  const age = now() - Date.parse(renewTime);
  if (age < LEASE_SILENCE_MS) return [fine(`${holder} leads.`)];
  const message = `The leading operator, ${holder}, last renewed its Lease ${Math.round(age / 1000)} s ago.`;
  return [problem(message, 'Check the Pods and logs of the operator; without a leader no edit takes effect.')];
}
