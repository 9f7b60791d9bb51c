import { budgets, workspaces } from '../../crds/kinds.gen.ts';
import type {
  ClaudeBudget,
  ClaudeBudgetStatus,
  ClaudeWorkspace,
  ClaudeWorkspaceStatus,
  Condition,
} from '../../crds/types.gen.ts';
import type { KubeObject, Resource } from '../../kube/object.ts';
import type { BudgetOutcome, WorkspaceOutcome } from '../../policy/compile/compile-output.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import { type ConditionType, type Finding, condition } from '../../policy/core/conditions.ts';
import type { PeriodLookup } from '../../policy/core/period.ts';
import type { PriceBook } from '../../policy/prices/price-book.ts';
import { budgetFigures } from '../../policy/status/budget-figures.ts';
import { stateToShow } from '../../policy/status/budget-state.ts';
import { type Rollout, budgetReady, upstreamAccepted, workspaceReady } from '../../policy/status/condition-findings.ts';
import { exhausted } from '../../policy/status/exhaustion.ts';
import { type PublishedPolicy, isOutcomeOf } from '../policy/published-policy.ts';
import { EffectCache } from './effect-cache.ts';
import type { LedgerFigures } from './ledger-reader.ts';
import { ProgrammedCondition } from './programmed-condition.ts';

export type Status = ClaudeBudgetStatus & ClaudeWorkspaceStatus;

/** What the statuses of one pass have in common. */
export interface StatusInput {
  readonly published: PublishedPolicy;
  readonly rollout: Rollout;
  readonly logged: Finding<'Logged'>;
  /** By workspace, what the upstream answered when it refused the upstream key: 401 or 403. */
  readonly refusedKeys: ReadonlyMap<Ref, number>;
  /** The hashes of each workspace's keys whose Secret exists, by the key's name. */
  readonly keys: ReadonlyMap<Ref, Readonly<Record<string, string>>>;
  /** By workspace: what the API server said of Secrets with keys that it does not let Tollgate write. */
  readonly denied: ReadonlyMap<Ref, string>;
  readonly workspaces: { get(ref: Ref): ClaudeWorkspace | undefined };
  readonly book: PriceBook;
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
  readonly #effects: EffectCache;
  /** By uid: the values that the last status was built from. */
  readonly #causes = new Map<string, readonly unknown[]>();
  /** By uid, for budgets that are not pending: the objects that the causes were derived from. */
  readonly #sources = new Map<string, readonly unknown[]>();

  /** `elapsed`: a monotonic clock, in milliseconds. */
  constructor(settings: Pick<Settings, 'requireBudget'>, elapsed: () => number, periods: PeriodLookup) {
    this.#settings = settings;
    this.#elapsed = elapsed;
    this.#periods = periods;
    this.#effects = new EffectCache(settings);
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
    const { logged, refusedKeys, now } = input;
    const upstream = upstreamAccepted(workspace.spec.upstream.apiKeySecretRef, refusedKeys.get(ref));
    const { reason, message } = programmed;
    const ready = workspaceReady(outcome, programmed, this.#settings, now, input.denied.get(ref));
    const effective = this.#effects.ofWorkspace(uid, outcome, input);
    const causes = [
      workspace,
      status,
      outcome,
      reason,
      message,
      logged.reason,
      upstream.message,
      ready.reason,
      ready.message,
      effective,
      [...keys].join(' '),
    ];
    if (!this.#areNew(uid, causes)) return { isPending, wanted: null };
    const wanted = workspaceStatus({
      workspace: known,
      outcome,
      programmed,
      effective,
      logged,
      upstream,
      ready,
      keys,
      now,
    });
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
    const effective = this.#effects.ofBudget(uid, outcome, input, figures.kind === 'Read' ? figures.now : now);
    const { accepted, inForce, required } = outcome;
    const findings = [accepted.reason, accepted.message, programmed.reason, programmed.message];
    if (!this.#areNew(uid, [budget, status, inForce, required.length, figures, effective, ...findings])) {
      return { isPending, wanted: null };
    }
    const wanted = budgetStatus({
      budget: known,
      outcome,
      programmed,
      effective,
      figures,
      periods: this.#periods,
      now,
    });
    return { isPending, wanted: { resource: budgets, object: budget, status: wanted } };
  }

  forget(uid: string): void {
    this.#programmed.forget(uid);
    this.#effects.forget(uid);
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

/** The figures of a budget of which no generation is in force. */
const NOT_IN_FORCE = {
  kind: 'Missing',
  reason: 'NotInForce',
  message: 'No accepted generation of the budget is in force, so nothing is counted.',
} as const satisfies LedgerFigures;

interface BudgetInput {
  /** With its status as last written. */
  readonly budget: ClaudeBudget;
  readonly outcome: BudgetOutcome;
  readonly programmed: Finding<'Programmed'>;
  readonly effective: Finding<'Effective'>;
  readonly figures: LedgerFigures;
  readonly periods: PeriodLookup;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** While the ledger gives no figures the last ones stay, so the status never shows less spend than was known. */
function budgetStatus(input: BudgetInput): ClaudeBudgetStatus {
  const { budget, outcome, programmed, effective, figures, periods, now } = input;
  const { inForce } = outcome;
  const conditionOf = conditioner(budget, now);
  const { conditions: _, workspace: __, ...last } = budget.status ?? {};
  const fields =
    inForce === null
      ? {}
      : figures.kind === 'Read'
        ? budgetFigures(inForce, figures.reading, figures.now, { periods, last: budget.status })
        : last;
  const state = stateToShow(outcome, figures.kind === 'Read' && 'state' in fields ? (fields.state ?? null) : null);
  return {
    conditions: [
      conditionOf('Accepted', outcome.accepted),
      conditionOf('Programmed', programmed),
      conditionOf('Effective', effective),
      conditionOf('Exhausted', exhaustion(input)),
      conditionOf('Ready', budgetReady(outcome, programmed, figures.kind === 'Read' ? figures.now : now)),
    ],
    workspace: budget.spec.workspaceRef?.name ?? counted(outcome.required.length),
    ...fields,
    ...(state === undefined ? {} : { state }),
  } as ClaudeBudgetStatus;
}

interface WorkspaceInput {
  /** With its status as last written. */
  readonly workspace: ClaudeWorkspace;
  readonly outcome: WorkspaceOutcome;
  readonly programmed: Finding<'Programmed'>;
  readonly effective: Finding<'Effective'>;
  readonly logged: Finding<'Logged'>;
  readonly upstream: Finding<'UpstreamAccepted'>;
  readonly ready: Finding<'Ready'>;
  /** The names of its keys whose Secret exists. */
  readonly keys: ReadonlySet<string>;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

function workspaceStatus(input: WorkspaceInput): ClaudeWorkspaceStatus {
  const { workspace, outcome, programmed, effective, logged, upstream, ready, now } = input;
  const keys = workspace.spec.keys.filter(({ name }) => input.keys.has(name));
  const budgets = outcome.budgets.map(refOf);
  const conditionOf = conditioner(workspace, now);
  return {
    conditions: [
      conditionOf('Accepted', outcome.accepted),
      conditionOf('Programmed', programmed),
      conditionOf('Effective', effective),
      conditionOf('Logged', logged),
      conditionOf('UpstreamAccepted', upstream),
      conditionOf('Ready', ready),
    ],
    keys: keys.map(({ name, secretName }) => ({ name, secretName })),
    keyCount: keys.length,
    budgets: budgets.slice(0, MAX_BUDGETS),
    budgetCount: budgets.length,
  };
}

/** The CRD's maxItems of `status.budgets`. */
const MAX_BUDGETS = 64;

/** Makes conditions of a resource; `lastTransitionTime` moves only where the condition's status does. */
function conditioner({ metadata, status }: ClaudeBudget | ClaudeWorkspace, now: number) {
  return <T extends ConditionType>(type: T, finding: Finding<T>): Condition =>
    condition(type, finding, metadata.generation ?? 0, now, status?.conditions ?? []);
}

function exhaustion({ budget, outcome, figures, periods }: BudgetInput): Finding<'Exhausted'> {
  const { inForce, accepted, spanning } = outcome;
  if (inForce === null) return { reason: NOT_IN_FORCE.reason, message: NOT_IN_FORCE.message };
  if (figures.kind === 'Missing') return { reason: figures.reason, message: figures.message };
  const isUnpooled = accepted.reason === 'Unpooled' && !spanning;
  return exhausted(inForce, figures.reading, figures.now, { isUnpooled, periods, last: budget.status });
}

function counted(workspaces: number): string {
  return workspaces === 1 ? '1 workspace' : `${workspaces} workspaces`;
}
