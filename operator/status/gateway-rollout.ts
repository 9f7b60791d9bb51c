import { type EndpointSlice, servingPods } from '../../kube/kinds.ts';
import type { LivingGateway } from '../../ledger/operator-ledger.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import { deepEqual } from '../../policy/core/deep-equal.ts';
import type { Rollout } from '../../policy/status/condition-findings.ts';

/**
 * Which gateway enforces which shard at which revision: the Pods that serve behind the gateway's Service, and all
 * gateways that send heartbeats. Returns `last` where nothing has changed.
 */
export function gatewayRollout(
  fences: ReadonlyMap<Ref, number> | null,
  slices: readonly EndpointSlice[],
  reports: readonly LivingGateway[],
  last: Rollout | undefined,
): Rollout {
  const gateways = new Map<string, Record<string, number> | null>(servingPods(slices).map((pod) => [pod, null]));
  for (const { pod, shards } of reports) gateways.set(pod, highest(gateways.get(pod) ?? {}, shards));
  const isSame = last?.fences === fences && deepEqual([...last.gateways], [...gateways]);
  return isSame ? last : { fences, gateways };
}

/** The workspaces whose upstream key was refused, by what any gateway reports; the upstream's status for each. */
export function refusedKeysOf(reports: readonly LivingGateway[]): ReadonlyMap<Ref, number> {
  const refused = reports.flatMap(({ refusedKeys = [] }) => refusedKeys);
  return new Map(refused.map(({ workspace, status }) => [workspace, status]));
}

/** A process that has replaced another one in its Pod is listed beside it until the old one's heartbeat expires. */
function highest(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const revisions = { ...a };
  for (const [shard, revision] of Object.entries(b)) revisions[shard] = Math.max(revision, a[shard] ?? 0);
  return revisions;
}
