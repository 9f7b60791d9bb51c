/** Checks that resources are compiled, published, fenced and enforced. */

import { budgets, workspaces } from '../../crds/kinds.gen.ts';
import type { ClaudeBudget, ClaudeWorkspace, Condition } from '../../crds/types.gen.ts';
import { keyOf, type KubeObject } from '../../kube/object.ts';
import { SHARED_SHARD } from '../../policy/shards/shard-format.ts';
import type { CheckedInstallation } from './checked-installation.ts';
import { type Findings, fine, listed, problem, warning } from './finding.ts';

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
    broken.length === 0 && fine(`${policy.size + 1} shards hold ${inUse} workspaces.`),
  ];
}

/** Checks the fences: without them an outdated gateway could admit calls by an old policy. */
export async function checkFences(installation: CheckedInstallation): Promise<Findings> {
  const { ledger } = installation;
  if (ledger === undefined) return [];
  const { policy } = await installation.shards();
  const fences = await ledger.operator.fences();
  const compiled = [...policy.values()].flatMap((shard) => (shard.ok ? [...shard.value.workspaces] : []));
  const unfenced = compiled.filter(([ref, { version }]) => (fences.get(ref) ?? -1) < version).map(([ref]) => ref);
  if (unfenced.length === 0) return [fine(`Redis has the current fence of all ${compiled.length} workspaces.`)];
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
    if (serving.length > 0) return [fine(`${serving.length} gateways serve behind the Service tollgate-gateway.`)];
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
      fine(`${alive.size} gateways send heartbeats and enforce the newest policy.`),
  ];
}

type Resource = (ClaudeWorkspace | ClaudeBudget) & KubeObject;

export async function checkConditions({ client, now }: CheckedInstallation): Promise<Findings> {
  const lists = [await client.list<Resource>(workspaces), await client.list<Resource>(budgets)];
  const all = lists.flatMap(({ items }) => items);
  if (all.length === 0) return [fine('There is no ClaudeWorkspace and no ClaudeBudget yet.')];
  const silent = all.filter((one) => isSilent(one, now())).map(({ metadata }) => keyOf(metadata));
  const unready = Map.groupBy(all.filter(isUnready), (one) => reasonOf(one));
  return [
    silent.length > 0 &&
      problem(
        `No operator has set conditions on ${listed(silent)}.`,
        'Check the Lease, and the log of the leading operator.',
      ),
    ...[...unready].flatMap(([reason, objects]) => {
      // What the API server said differs for each.
      if (reason === 'KeySecretDenied') return told(objects, 'Ready', 'Let tollgate-operator write and delete it');
      const names = listed(objects.map(({ metadata }) => keyOf(metadata)));
      const message = `${objects.length} not ready, ${reason}: ${names}.`;
      const remedy = `kubectl describe shows the message of each; docs/runbooks/conditions/${reason}.md says what to do.`;
      return [INSTALLATION_REASONS.has(reason) ? problem(message, remedy) : warning(message, remedy)];
    }),
    ...told(all, 'Effective', 'Write what it says, or make what it names'),
    silent.length + unready.size === 0 && fine(`All ${all.length} resources are ready.`),
  ];
}

/** The most resources whose own words are repeated. */
const MOST_TOLD = 10;
/** The end of a message that names its runbook. */
const LINK = / See https:\S+$/;

/** A warning for each resource on which a condition is False, with its message; one more for the rest of many. */
function told(objects: readonly Resource[], type: string, remedy: string): Findings {
  const found = objects.flatMap((one) => {
    const condition = conditionOf(one, type);
    return condition?.status === 'False' ? [{ name: keyOf(one.metadata), ...condition }] : [];
  });
  const rest = found.slice(MOST_TOLD).map(({ name }) => name);
  return [
    ...found
      .slice(0, MOST_TOLD)
      .map(({ name, reason, message }) =>
        warning(
          `${name}, ${reason}: ${message.replace(LINK, '')}`,
          `${remedy} (docs/runbooks/conditions/${reason}.md).`,
        ),
      ),
    rest.length > 0 && warning(`${rest.length} more with ${type}=False: ${listed(rest)}.`, 'kubectl describe each.'),
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

function isSilent({ metadata, status }: Resource, now: number): boolean {
  const isNew = now - Date.parse(metadata.creationTimestamp ?? '') < SILENCE_MS;
  return !isNew && (status?.conditions ?? []).length === 0;
}

/** Not ready, or with a condition whose cause is in the installation. */
function isUnready(one: Resource): boolean {
  const ready = conditionOf(one, 'Ready');
  return ready?.status === 'False' || reasonOf(one) !== (ready?.reason ?? '');
}

/** The most specific reason: of Exhausted if the ledger is unknown, of Logged, of UpstreamAccepted, else the one that Ready sums up. */
function reasonOf(one: Resource): string {
  const causes = ['Exhausted', 'Logged', 'Accepted', 'Programmed', 'UpstreamAccepted'].flatMap(
    (type) => conditionOf(one, type) ?? [],
  );
  const cause = causes.find(({ type, status, reason }) =>
    type === 'Exhausted' ? INSTALLATION_REASONS.has(reason) : status === 'False',
  );
  return cause?.reason ?? conditionOf(one, 'Ready')?.reason ?? '';
}

function conditionOf({ status }: Resource, type: string): Condition | undefined {
  return (status?.conditions as readonly Condition[] | undefined)?.find((one) => one.type === type);
}
