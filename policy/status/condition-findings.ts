import type { BudgetOutcome, RequiredVersion, WorkspaceOutcome } from '../compile/compile-output.ts';
import type { Settings } from '../config/settings.ts';
import { enforcedFrom, modeAt } from '../core/budget-period.ts';
import type { CompiledBudget, Ref } from '../core/compiled-policy.ts';
import type { Finding, Reason } from '../core/conditions.ts';
import { END_OF_TIME, rfc3339 } from '../core/period.ts';

/** The versions that the installation enforces at one moment. */
export interface Rollout {
  /** The fences in the ledger; null if it did not answer. */
  readonly fences: ReadonlyMap<Ref, number> | null;
  /** By Pod, every gateway that may serve: the revision of each shard that it enforces, or null if it has not reported. */
  readonly gateways: ReadonlyMap<string, Readonly<Record<string, number>> | null>;
}

/** Whether the outcome's policy is enforced everywhere, so that no gateway can admit a call by an older one. */
export function programmed(outcome: WorkspaceOutcome | BudgetOutcome, rollout: Rollout): Finding<'Programmed'> {
  if (outcome.inForce?.generation !== outcome.generation) {
    const message =
      outcome.inForce === null
        ? 'No accepted generation is in force, so nothing is enforced.'
        : `Generation ${outcome.inForce.generation} stays in force.`;
    return { reason: 'NotAccepted', message, ...runbookOf(outcome) };
  }
  if ('spanning' in outcome && !outcome.spanning && outcome.required.length === 0) {
    return {
      reason: 'WorkspaceNotAccepted',
      message: "Its workspace was never accepted; see that workspace's Accepted condition.",
    };
  }
  if (rollout.fences === null)
    return { reason: 'Pending', message: 'Redis does not answer, so the fences cannot be read.' };
  for (const proof of outcome.required) {
    const lacking = lacks(proof, rollout.fences, rollout.gateways);
    if (lacking !== null) return { reason: 'Pending', message: lacking };
  }
  return { reason: 'Programmed', message: enforcedBy(outcome.required.length, rollout.gateways.size) };
}

/** The runbook of what is wrong with the newest generation, where something is. */
function runbookOf({ accepted }: WorkspaceOutcome | BudgetOutcome): { runbook?: Reason<'Accepted'> } {
  return accepted.reason === 'Accepted' ? {} : { runbook: accepted.reason };
}

function lacks(
  { workspace, shard, version }: RequiredVersion,
  fences: ReadonlyMap<Ref, number>,
  gateways: Rollout['gateways'],
): string | null {
  if ((fences.get(workspace) ?? -1) < version) return `Redis does not hold the newest fence of ${workspace} yet.`;
  if (gateways.size === 0) return 'No gateway is running, so no call can be made yet.';
  for (const [pod, shards] of gateways) {
    if (shards === null) return `Gateway ${pod} has not reported what it enforces.`;
    if ((shards[shard] ?? -1) < version) return `Gateway ${pod} does not enforce this version of ${workspace} yet.`;
  }
  return null;
}

function enforcedBy(workspaces: number, gateways: number): string {
  if (workspaces === 0) return 'It applies to no workspace yet.';
  return gateways === 1 ? 'The only gateway enforces it.' : `All ${gateways} gateways enforce it.`;
}

/** The state of the records on their way from the ledger to the usage log. */
export interface LogLag {
  /** Records that wait in the ledger, and the maximum. */
  readonly waiting: number;
  readonly limit: number;
  /** How long the database has not answered. Milliseconds. */
  readonly silentMs: number;
}

/** A restart of the database is shorter and not reported. Milliseconds. */
const LOG_SILENCE_MS = 60_000;

/** Whether what calls cost gets into the usage log. The message holds no figure, since it is in every workspace. */
export function logged({ waiting, limit, silentMs }: LogLag): Finding<'Logged'> {
  if (silentMs > LOG_SILENCE_MS) {
    return {
      reason: 'LogUnreachable',
      message:
        'The database of the usage log does not answer or accepts no writes. Usage records wait in Redis; none is lost.',
    };
  }
  if (waiting * 2 >= limit) {
    return {
      reason: 'LogBehind',
      message: `The usage stream is at least half full. At ${limit} waiting records (usageStreamLimit) all calls are refused.`,
    };
  }
  return { reason: 'Logged', message: 'Usage records reach the log within seconds.' };
}

/** A Secret's name and the key in its data. */
interface SecretKey {
  readonly name: string;
  readonly key: string;
}

/** Whether the upstream takes the upstream key of `secret`. `refusedWith`: what it answered last, 401 or 403; else undefined. */
export function upstreamAccepted(secret: SecretKey, refusedWith: number | undefined): Finding<'UpstreamAccepted'> {
  if (refusedWith === undefined) {
    return { reason: 'UpstreamAccepted', message: 'The upstream has not refused the upstream key lately.' };
  }
  const remedy = refusedWith === 403 ? 'Give it the permission that it lacks, or replace it' : 'Replace it';
  return {
    reason: 'UpstreamKeyRefused',
    message: `The upstream answered ${refusedWith} to the upstream key, so calls are refused with 502. ${remedy}: Secret ${secret.name}, key ${secret.key}.`,
  };
}

/**
 * The condition Ready of a workspace at an instant (milliseconds): whether its calls can be served. `deniedSecrets`: what
 * the API server said of Secrets with keys that it does not let Tollgate write.
 */
export function workspaceReady(
  outcome: WorkspaceOutcome,
  isProgrammed: Finding<'Programmed'>,
  { requireBudget }: Pick<Settings, 'requireBudget'>,
  now: number,
  deniedSecrets?: string,
): Finding<'Ready'> {
  const { accepted, inForce, budgets } = outcome;
  // A Secret that is deleted later makes the workspace unaccepted, but what is in force cannot be served either.
  if (inForce !== null && !outcome.upstreamKey) {
    const cause = accepted.reason === 'Accepted' ? 'Create its Secret again.' : accepted.message;
    return { reason: 'UpstreamKeyMissing', message: `There is no upstream key, so its calls are refused. ${cause}` };
  }
  if (accepted.reason !== 'Accepted' || inForce === null) {
    return { reason: 'NotAccepted', message: accepted.message, ...runbookOf(outcome) };
  }
  if (inForce.suspend)
    return { reason: 'Suspended', message: 'The workspace is suspended (spec.suspend), so its calls are refused.' };
  if (requireBudget === 'Any' && budgets.length === 0) {
    return { reason: 'NoBudget', message: 'No ClaudeBudget applies to it, so its calls are refused. Create one.' };
  }
  if (requireBudget === 'Enforcing' && !budgets.some((budget) => modeAt(budget, now) === 'Enforce')) {
    const message =
      'No ClaudeBudget in mode Enforce applies to it, so its calls are refused (setting requireBudget). Create one.';
    return { reason: 'NoBudget', message };
  }
  if (deniedSecrets !== undefined) return { reason: 'KeySecretDenied', message: deniedSecrets };
  return whenProgrammed(isProgrammed);
}

/** The condition Ready of a budget at an instant (milliseconds): whether it is enforced. It stays ready when the budget is spent. */
export function budgetReady(
  outcome: BudgetOutcome,
  isProgrammed: Finding<'Programmed'>,
  now: number,
): Finding<'Ready'> {
  const { accepted, inForce } = outcome;
  if (accepted.reason !== 'Accepted') {
    return { reason: 'NotAccepted', message: accepted.message, ...runbookOf(outcome) };
  }
  if (inForce?.suspend === true) {
    return {
      reason: 'Suspended',
      message: 'The budget is suspended (spec.suspend), so every call that it applies to is refused.',
    };
  }
  const ready = whenProgrammed(isProgrammed);
  return inForce === null ? ready : { ...ready, message: `${ready.message}${pilotText(inForce, now)}` };
}

function pilotText(budget: CompiledBudget, now: number): string {
  const end = enforcedFrom(budget);
  return end <= now || end === END_OF_TIME ? '' : ` It observes until ${rfc3339(end)} and is enforced from then on.`;
}

function whenProgrammed({ reason, message, runbook = reason }: Finding<'Programmed'>): Finding<'Ready'> {
  return reason === 'Programmed' ? { reason: 'Ready', message } : { reason: 'NotProgrammed', message, runbook };
}
