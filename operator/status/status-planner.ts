import { budgets, workspaces } from '../../crds/kinds.gen.ts';
import type { ClaudeBudget, ClaudeBudgetStatus, ClaudeWorkspace, ClaudeWorkspaceStatus } from '../../crds/types.gen.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Finding } from '../../policy/core/conditions.ts';
import type { PeriodLookup } from '../../policy/core/period.ts';
import type { Rollout } from '../../policy/status/condition-findings.ts';
import { type PublishedPolicy, isOutcomeOf } from '../policy/published-policy.ts';
import { budgetStatus, NOT_IN_FORCE, workspaceStatus } from './build-status.ts';
import type { LedgerFigures } from './ledger-reader.ts';
import { ProgrammedCondition } from './programmed-condition.ts';

export type Status = ClaudeBudgetStatus & ClaudeWorkspaceStatus;

/** What the statuses of one pass have in common. */
export interface StatusInput {
  readonly published: PublishedPolicy;
  readonly rollout: Rollout;
  readonly logged: Finding<'Logged'>;
  /** The hashes of each workspace's keys whose Secret exists, by the key's name. */
  readonly keys: ReadonlyMap<Ref, Readonly<Record<string, string>>>;
  readonly workspaces: { get(ref: Ref): ClaudeWorkspace | undefined };
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A workspace as its informer has it, with its status as last written. */
export interface WorkspaceSubject {
  readonly ref: Ref;
  readonly workspace: ClaudeWorkspace;
  readonly status: ClaudeWorkspaceStatus | undefined;
}

/** A budget as its informer has it, with its status as last written. */
export interface BudgetSubject {
  readonly ref: Ref;
  readonly budget: ClaudeBudget;
  readonly status: ClaudeBudgetStatus | undefined;
  /** Undefined while the ledger may still answer. */
  readonly figures: LedgerFigures | undefined;
}

export interface WantedStatus {
  readonly resource: Resource;
  readonly object: KubeObject & { readonly status?: Status };
  readonly status: Status;
}

interface Planned {
  /** Whether its policy is still on its way to the gateways. */
  readonly isPending: boolean;
  /** Null where nothing changed since the last plan, or where it is too early to say. */
  readonly wanted: WantedStatus | null;
}

const UNCHANGED: Planned = { isPending: false, wanted: null };
const PENDING: Planned = { isPending: true, wanted: null };

/**
 * Computes what each status should be; it reads and writes nothing. It remembers what each status was computed from,
 * because of thousands of objects few change between two passes.
 */
export class StatusPlanner {
  readonly #settings: Pick<Settings, 'requireBudget'>;
  readonly #elapsed: () => number;
  readonly #periods: PeriodLookup;
  readonly #programmed = new ProgrammedCondition();
  /** By uid: the values that the last status was built from. */
  readonly #causes = new Map<string, readonly unknown[]>();
  /** By uid, for budgets that are not pending: the objects that the causes were derived from. */
  readonly #sources = new Map<string, readonly unknown[]>();

  /** `elapsed`: a monotonic clock, in milliseconds. */
  constructor(settings: Pick<Settings, 'requireBudget'>, elapsed: () => number, periods: PeriodLookup) {
    this.#settings = settings;
    this.#elapsed = elapsed;
    this.#periods = periods;
  }

  workspace(subject: WorkspaceSubject, input: StatusInput): Planned {
    const { ref, workspace, status } = subject;
    const outcome = input.published.output.workspaces.get(ref);
    if (outcome === undefined || !isOutcomeOf(workspace, outcome, input.published)) return UNCHANGED;
    const keys = new Set(Object.keys(input.keys.get(ref) ?? {}));
    const known = { ...workspace, status } as ClaudeWorkspace;
    const uid = workspace.metadata.uid ?? '';
    const target = { uid, workspaces: [], wasProgrammed: wasProgrammed(known) };
    const programmed = this.#programmed.find(target, outcome, input.rollout, this.#elapsed());
    if (programmed === null) return PENDING;
    const isPending = programmed.reason === 'Pending';
    const { logged, now } = input;
    const { reason, message } = programmed;
    const causes = [workspace, status, outcome, reason, message, logged.reason, [...keys].join(' ')];
    if (!this.#areNew(uid, causes)) return { isPending, wanted: null };
    const settings = this.#settings;
    const wanted = workspaceStatus({ workspace: known, outcome, programmed, logged, settings, keys, now });
    return { isPending, wanted: { resource: workspaces, object: workspace, status: wanted } };
  }

  budget(subject: BudgetSubject, input: StatusInput): Planned {
    const { ref, budget, status } = subject;
    const { rollout, now } = input;
    const outcome = input.published.output.budgets.get(ref);
    if (outcome === undefined || !isOutcomeOf(budget, outcome, input.published)) return UNCHANGED;
    const figures = outcome.inForce === null ? NOT_IN_FORCE : subject.figures;
    const uid = budget.metadata.uid ?? '';
    const sources = [budget, status, outcome, rollout, figures];
    if (areSame(sources, this.#sources.get(uid))) return UNCHANGED;
    this.#sources.delete(uid);
    const known = { ...budget, status } as ClaudeBudget;
    const reached = outcome.required.map(({ workspace }) => input.workspaces.get(workspace)?.metadata.uid);
    // The written status does not say which workspaces a spanning budget applied to.
    const target = { uid, workspaces: reached, wasProgrammed: !outcome.spanning && wasProgrammed(known) };
    const programmed = this.#programmed.find(target, outcome, rollout, this.#elapsed());
    if (programmed === null) return PENDING;
    const isPending = programmed.reason === 'Pending';
    if (!isPending) this.#sources.set(uid, sources);
    if (figures === undefined) return { isPending, wanted: null };
    const { accepted, inForce, required } = outcome;
    const findings = [accepted.reason, accepted.message, programmed.reason, programmed.message];
    if (!this.#areNew(uid, [budget, status, inForce, required.length, figures, ...findings])) {
      return { isPending, wanted: null };
    }
    const wanted = budgetStatus({ budget: known, outcome, programmed, figures, periods: this.#periods, now });
    return { isPending, wanted: { resource: budgets, object: budget, status: wanted } };
  }

  forget(uid: string): void {
    this.#programmed.forget(uid);
    this.#causes.delete(uid);
    this.#sources.delete(uid);
  }

  /** Plans every status again: another leader may have written since. */
  reset(): void {
    this.#causes.clear();
    this.#sources.clear();
  }

  #areNew(uid: string, causes: readonly unknown[]): boolean {
    if (areSame(causes, this.#causes.get(uid))) return false;
    this.#causes.set(uid, causes);
    return true;
  }
}

function areSame(values: readonly unknown[], others: readonly unknown[] | undefined): boolean {
  return others !== undefined && values.every((value, i) => value === others[i]);
}

function wasProgrammed({ metadata, status }: ClaudeBudget | ClaudeWorkspace): boolean {
  const found = status?.conditions?.find(({ type }: { readonly type: string }) => type === 'Programmed');
  return found?.status === 'True' && found.observedGeneration === metadata.generation;
}
