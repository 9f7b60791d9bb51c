/** Checks that resources are compiled, published, fenced and enforced. */

import { budgets, workspaces } from '../../crds/kinds.gen.ts';
import type { ClaudeBudget, ClaudeWorkspace, Condition } from '../../crds/types.gen.ts';
import { keyOf, type KubeObject } from '../../kube/object.ts';
import { SHARED_SHARD } from '../../policy/shards/shard-format.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Finding, type Findings, counted, fine, listed, problem, warning } from './finding.ts';

/** The maximum size of a ConfigMap. Bytes. */
const MAX_BYTES = 1_048_576;
/** A working operator sets the conditions of an object within seconds. Milliseconds. */
const SILENCE_MS = 60_000;

/** Checks that the shards exist, are complete, are of this version and have room. */
export async function checkShards(installation: CheckedInstallation): Promise<Findings> {
  const { shared, policy, sizes } = await installation.shards();
  const broken = [[SHARED_SHARD, shared] as const, ...policy].flatMap(([name, shard]) =>
    shard.ok ? [] : [`${name}: ${shard.error}`],
  );
  const crowded = [...sizes].filter(([, bytes]) => bytes > 0.8 * MAX_BYTES).map(([name]) => name);
  const inUse = [...policy.values()].reduce((sum, shard) => sum + (shard.ok ? shard.value.workspaces.size : 0), 0);
  return [
    ...broken.map((message) =>
      problem(
        `${message}.`,
        'Gateways keep their policy meanwhile. helm upgrade creates a missing shard, and the leading operator writes it: check its log.',
      ),
    ),
    crowded.length > 0 &&
      warning(
        `Shards more than 80 % full: ${listed(crowded)}.`,
        'Raise the setting shards (docs/reference/settings.md).',
      ),
    broken.length === 0 && fine(`${policy.size + 1} shards hold ${counted(inUse, 'workspace')}.`),
  ];
}

/** Checks the fences: without them an outdated gateway could admit calls by an old policy. */
export async function checkFences(installation: CheckedInstallation): Promise<Findings> {
  const { ledger } = installation;
  if (ledger === undefined) return [];
  const { policy } = await installation.shards();
  const fences = await ledger.operator.fences();
  const compiled = [...policy.values()].flatMap((shard) => (shard.ok ? [...shard.value.workspaces] : []));
  const unfenced = compiled
    .filter(([ref, { version }]) => (fences.get(ref) ?? -1) < version)
    .map(([ref]) => `ClaudeWorkspace ${ref}`);
  if (unfenced.length === 0) return [fine(`Redis has the current fence of ${counted(compiled.length, 'workspace')}.`)];
  const remedy = 'The leading operator writes it within a second if Redis accepts writes: check its log.';
  return [
    problem(`Redis has no current fence for ${listed(unfenced)}; an outdated gateway could admit its calls.`, remedy),
  ];
}

/** Checks that each serving gateway sends heartbeats and enforces the published policy. */
export async function checkGateways(installation: CheckedInstallation): Promise<Findings> {
  const serving = await installation.serving();
  const { ledger } = installation;
  const remedy = 'Check the Pods and logs of the gateway.';
  if (ledger === undefined) {
    if (serving.length > 0)
      return [
        fine(`${counted(serving.length, 'gateway serves', 'gateways serve')} behind the Service tollgate-gateway.`),
      ];
    return [problem('No gateway serves behind the Service tollgate-gateway.', remedy)];
  }
  const reports = await ledger.operator.gateways();
  const alive = new Set(reports.map(({ pod }) => pod));
  const silent = serving.filter((pod) => !alive.has(pod));
  const { policy } = await installation.shards();
  const newest = [...policy].map(([name, shard]) => {
    const versions = shard.ok ? [...shard.value.workspaces.values()].map(({ version }) => version) : [];
    return [name, Math.max(0, ...versions)] as const;
  });
  const behind = reports.flatMap(({ pod, shards }) =>
    newest.flatMap(([name, version]) => ((shards[name] ?? 0) < version ? [`${pod} (${name})`] : [])),
  );
  return [
    alive.size === 0 && problem('No gateway sends heartbeats, so no call is served.', remedy),
    ...silent.map((pod) =>
      problem(`${pod} serves but does not reach Redis.`, 'Check its log and the network policies to Redis.'),
    ),
    behind.length > 0 &&
      problem(
        `Gateways with an old policy: ${listed(behind)}.`,
        'They catch up within a second unless they cannot read a shard: check their logs, and docs/reference/versions.md after an upgrade.',
      ),
    silent.length + behind.length === 0 &&
      alive.size > 0 &&
      fine(
        `${counted(alive.size, 'gateway sends heartbeats and enforces', 'gateways send heartbeats and enforce')} the newest policy.`,
      ),
  ];
}

type Resource = (ClaudeWorkspace | ClaudeBudget) & KubeObject;

export async function checkConditions({ client, now }: CheckedInstallation): Promise<Findings> {
  // The API server leaves out the kind of each item in a list.
  const all: Resource[] = [
    ...(await client.list<ClaudeWorkspace & KubeObject>(workspaces)).items.map((one) => ({
      ...one,
      kind: workspaces.kind,
    })),
    ...(await client.list<ClaudeBudget & KubeObject>(budgets)).items.map((one) => ({ ...one, kind: budgets.kind })),
  ];
  if (all.length === 0) return [fine('There is no ClaudeWorkspace and no ClaudeBudget yet.')];
  const silent = all.filter((one) => isSilent(one, now())).map(titleOf);
  const unready = all.filter(isUnready).map((one) => ({ one, ...causeOf(one) }));
  const ineffective = all.flatMap((one) => {
    const effective = conditionOf(one, 'Effective');
    return effective?.status === 'False' ? [{ one, ...effective, level: 'Warning' as const }] : [];
  });
  return [
    silent.length > 0 &&
      problem(
        `No operator has set conditions on ${listed(silent)}.`,
        'Check the Lease, and the log of the leading operator.',
      ),
    ...told([...unready, ...ineffective]),
    silent.length + unready.length === 0 && fine(`${counted(all.length, 'resource is', 'resources are')} ready.`),
  ];
}

/** `Kind namespace/name`. */
function titleOf({ kind, metadata }: Resource): string {
  return `${kind} ${keyOf(metadata)}`;
}

/** What is wrong with a resource, in the words of one of its conditions. */
interface Cause {
  readonly level: 'Problem' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

/** The most findings about resources, of which each repeats a condition. */
const MOST_TOLD = 10;
/** The end of a message that names its runbook. */
const LINK = / See https:\S+$/;

/** One finding for all resources of a kind that have the same cause, problems first; one more for the rest of many. */
function told(causes: readonly (Cause & { readonly one: Resource })[]): Findings {
  const groups = Map.groupBy(causes, ({ one, reason, message }) => JSON.stringify([one.kind, reason, message]));
  const sorted = [...groups.values()].toSorted((a, b) => a[0]!.level.localeCompare(b[0]!.level));
  const rest = sorted.slice(MOST_TOLD).flat();
  const namesOf = (group: typeof causes): string => listed(group.map(({ one }) => keyOf(one.metadata)));
  return [
    ...sorted.slice(0, MOST_TOLD).map((group): Finding => {
      const { one, level, reason, message } = group[0]!;
      const subject = `${one.kind}${group.length > 1 ? 's' : ''} ${namesOf(group)}`;
      const remedy = `docs/runbooks/conditions/${reason}.md says what to do.`;
      return { level, message: `${subject}, ${reason}: ${message.replace(LINK, '')}`, remedy };
    }),
    rest.length > 0 &&
      (rest.some(({ level }) => level === 'Problem') ? problem : warning)(
        `${rest.length} more: ${listed(rest.map(({ one }) => titleOf(one)))}.`,
        'kubectl get cb,cw -A -o wide shows the reason of each.',
      ),
  ];
}

/** Reasons with a cause in the installation, not in the resource. */
const INSTALLATION_REASONS: ReadonlySet<string> = new Set([
  'Pending',
  'LedgerUnreachable',
  'LedgerRecovering',
  'LogBehind',
  'LogUnreachable',
]);

/** Reasons of a workspace of which every call is refused, but not on purpose. */
const REFUSING: ReadonlySet<string> = new Set(['NoBudget', 'UpstreamKeyMissing', 'UpstreamKeyRefused']);

function isSilent({ metadata, status }: Resource, now: number): boolean {
  const isNew = now - Date.parse(metadata.creationTimestamp ?? '') < SILENCE_MS;
  return !isNew && (status?.conditions ?? []).length === 0;
}

/** Not ready, or with a condition whose cause is in the installation. */
function isUnready(one: Resource): boolean {
  const ready = conditionOf(one, 'Ready');
  return ready?.status === 'False' || causeOf(one).reason !== (ready?.reason ?? '');
}

/** The most specific condition: Exhausted if the ledger is unknown, Logged, Accepted, …, else Ready, which sums them up. */
function causeOf(one: Resource): Cause {
  const ready = conditionOf(one, 'Ready');
  const refusing = REFUSING.has(ready?.reason ?? '') ? ready : undefined;
  const causes = ['Exhausted', 'Logged', 'Accepted', 'Programmed', 'UpstreamAccepted'].flatMap(
    (type) => conditionOf(one, type) ?? [],
  );
  const specific = causes.find(({ type, status, reason }) =>
    type === 'Exhausted' ? INSTALLATION_REASONS.has(reason) : status === 'False',
  );
  const { reason, message } = refusing ?? specific ?? ready ?? { reason: '', message: '' };
  const isProblem = INSTALLATION_REASONS.has(reason) || REFUSING.has(reason) || wasNeverAccepted(one);
  return { level: isProblem ? 'Problem' : 'Warning', reason, message };
}

/** A workspace of which nothing is in force: all its calls are refused. */
function wasNeverAccepted(one: Resource): boolean {
  return one.kind === 'ClaudeWorkspace' && conditionOf(one, 'Effective')?.reason === 'NotInForce';
}

function conditionOf({ status }: Resource, type: string): Condition | undefined {
  return (status?.conditions as readonly Condition[] | undefined)?.find((one) => one.type === type);
}
