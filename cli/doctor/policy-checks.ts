/** Whether what people wrote is compiled, written, fenced and enforced. */

import type { ClaudeBudget, ClaudeWorkspace, Condition } from '../../crds/types.gen.ts';
import { keyOf, type KubeObject } from '../../kube/object.ts';
import { SHARED_SHARD } from '../../policy/compile/shards.ts';
import { type Finding, fine, listed, problem, warning } from './finding.ts';
import type { Installation } from './installation.ts';
import { budgets, workspaces } from './kube-kinds.ts';

/** What Kubernetes holds in one ConfigMap. Bytes. */
const FULL = 1_048_576;
/** An operator that works says something of an object within seconds. Milliseconds. */
const SILENCE_MS = 60_000;

/** The shards: there, whole, of this version, and with room. */
export async function checkShards(patient: Installation): Promise<Finding[]> {
  const { shared, policy, sizes } = await patient.written();
  const broken = [[SHARED_SHARD, shared] as const, ...policy].flatMap(([name, shard]) =>
    'problem' in shard ? [`${name}: ${shard.problem}`] : [],
  );
  const crowded = [...sizes].filter(([, bytes]) => bytes > 0.8 * FULL).map(([name]) => name);
  const inUse = [...policy.values()].reduce((sum, shard) => sum + ('problem' in shard ? 0 : shard.workspaces.size), 0);
  return [
    ...broken.map((message) =>
      problem(
        `${message}.`,
        'Gateways keep what they have. helm upgrade makes a missing shard again, and the leading operator writes it: see its log.',
      ),
    ),
    ...(crowded.length > 0
      ? [
          warning(
            `More than four fifths full: ${listed(crowded)}.`,
            'Raise the setting shards (docs/reference/settings.md).',
          ),
        ]
      : []),
    ...(broken.length === 0 ? [fine(`${policy.size + 1} shards hold ${inUse} workspaces.`)] : []),
  ];
}

/** The fences: without them a gateway that is behind could act by an old policy. */
export async function checkFences(patient: Installation): Promise<Finding[]> {
  const { ledger } = patient;
  if (ledger === undefined) return [];
  const { policy } = await patient.written();
  const fences = await ledger.fences();
  const compiled = [...policy.values()].flatMap((shard) => ('problem' in shard ? [] : [...shard.workspaces]));
  const open = compiled.filter(([ref, { version }]) => (fences.get(ref) ?? -1) < version).map(([ref]) => ref);
  if (open.length === 0) return [fine(`The fence of each of ${compiled.length} workspaces is written.`)];
  const remedy = 'The leading operator writes them within a second where Redis takes writes: see its log.';
  return [problem(`The fence is not written of ${listed(open)}.`, remedy)];
}

/** The gateways: each one that serves beats, and enforces what is written. */
export async function checkGateways(patient: Installation): Promise<Finding[]> {
  const serving = await patient.serving();
  const { ledger } = patient;
  if (ledger === undefined) {
    if (serving.length > 0) return [fine(`${serving.length} serve behind the Service tollgate-gateway.`)];
    return [problem('No gateway serves behind the Service tollgate-gateway.', 'See the Pods and logs of the gateway.')];
  }
  const reports = await ledger.gateways();
  const beating = new Set(reports.map(({ pod }) => pod));
  const silent = serving.filter((pod) => !beating.has(pod));
  const { policy } = await patient.written();
  const behind = reports.flatMap(({ pod, shards }) =>
    [...policy].flatMap(([name, shard]) => {
      const newest =
        'problem' in shard ? 0 : Math.max(0, ...[...shard.workspaces.values()].map(({ version }) => version));
      return (shards[name] ?? 0) < newest ? [`${pod} (${name})`] : [];
    }),
  );
  return [
    ...(beating.size === 0
      ? [problem('No gateway beats, so no call is served.', 'See the Pods and logs of the gateway.')]
      : []),
    ...silent.map((pod) =>
      problem(
        `${pod} serves and does not reach the ledger.`,
        'Its log and its way to Redis (network policies) say why.',
      ),
    ),
    ...(behind.length > 0
      ? [
          problem(
            `Behind what is written: ${listed(behind)}.`,
            'They catch up within a second unless they cannot read a shard: see their logs, and docs/reference/versions.md after an upgrade.',
          ),
        ]
      : []),
    ...(silent.length + behind.length === 0 && beating.size > 0
      ? [fine(`${beating.size} beat and enforce all that is written.`)]
      : []),
  ];
}

type Resource = (ClaudeWorkspace | ClaudeBudget) & KubeObject;

/** The conditions of both kinds, by reason. */
export async function checkConditions({ client, now }: Installation): Promise<Finding[]> {
  const lists = [await client.list<Resource>(workspaces), await client.list<Resource>(budgets)];
  const all = lists.flatMap(({ items }) => items);
  if (all.length === 0) return [fine('There is no ClaudeWorkspace and no ClaudeBudget yet.')];
  const silent = all.filter((one) => isSilent(one, now())).map(({ metadata }) => keyOf(metadata));
  const unready = Map.groupBy(all.filter(isUnready), (one) => reasonOf(one));
  return [
    ...(silent.length > 0
      ? [
          problem(
            `No operator has said anything of ${listed(silent)}.`,
            'See the Lease, and the log of the leading operator.',
          ),
        ]
      : []),
    ...[...unready].map(([reason, objects]) => {
      const names = listed(objects.map(({ metadata }) => keyOf(metadata)));
      const message = `${objects.length} not ready, ${reason}: ${names}.`;
      const remedy = `kubectl describe says more of each; docs/runbooks/conditions/${reason}.md what to do.`;
      return INSTALLATION.has(reason) ? problem(message, remedy) : warning(message, remedy);
    }),
    ...(silent.length + unready.size === 0 ? [fine(`All of ${all.length} are ready.`)] : []),
  ];
}

/** Reasons that are no mistake of who wrote the resource. */
const INSTALLATION: ReadonlySet<string> = new Set([
  'Pending',
  'LedgerUnreachable',
  'LedgerRecovering',
  'LogBehind',
  'LogUnreachable',
]);

function isSilent({ metadata, status }: Resource, now: number): boolean {
  const isNew = now - Date.parse(metadata.creationTimestamp ?? '') < SILENCE_MS;
  return !isNew && (status?.conditions ?? []).length === 0;
}

/** Not ready, or with something that the installation owes it. */
function isUnready(one: Resource): boolean {
  const ready = found(one, 'Ready');
  return ready?.status === 'False' || reasonOf(one) !== (ready?.reason ?? '');
}

/** The condition that says most: an unknown ledger, a log that is behind, else the one that Ready sums up. */
function reasonOf(one: Resource): string {
  const causes = ['Exhausted', 'Logged', 'Accepted', 'Programmed'].flatMap((type) => found(one, type) ?? []);
  const cause = causes.find(({ type, status, reason }) =>
    type === 'Exhausted' ? INSTALLATION.has(reason) : status === 'False',
  );
  return cause?.reason ?? found(one, 'Ready')?.reason ?? '';
}

function found({ status }: Resource, type: string): Condition | undefined {
  return (status?.conditions as readonly Condition[] | undefined)?.find((one) => one.type === type);
}
