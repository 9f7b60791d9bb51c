import type { ClaudeBudget, ClaudeBudgetSpec } from '../../crds/types.gen.ts';
import { isNamespaceAttribute } from '../config/namespace-attributes.ts';
import type { Settings } from '../config/settings.ts';
import { type CompiledBudget, type CompiledPeriod, type Ref, refOf } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import { namespaceOf } from '../core/counter-reading.ts';
import { type LabelSelector, selects } from '../core/label-selector.ts';
import { isSetByCaller } from '../core/matching.ts';
import { nearestName } from '../core/nearest-name.ts';
import { END_OF_TIME, isTimeZone } from '../core/period.ts';
import type { PreviousShards } from '../shards/shard-set.ts';
import { scopeAt, valuesAt } from './attribute-names.ts';
import type { CompileCache } from './compile-cache.ts';
import type { CompileInput, Cut } from './compile-input.ts';
import type { OwnPart } from './compile-workspace.ts';
import { NotAccepted, amountOf, instantOf, validateResource } from './not-accepted.ts';
import { restrainBudget } from './restrained.ts';
import { compileSpanning } from './spanning-budget.ts';
import { largerThanAllowed, MAX_BYTES } from './too-large.ts';

/** Without `limit.workspaceReservePercent`. A schema cannot give a default to spanning budgets alone. */
const DEFAULT_WORKSPACE_RESERVE_PERCENT = 50;

/** One budget, accepted or in its last accepted form, with the workspaces that it applies to, sorted. */
export interface TargetedBudget {
  readonly ref: Ref;
  /** RFC 3339, to the second. */
  readonly created: string;
  readonly generation: number;
  readonly accepted: Finding<'Accepted'>;
  /** This generation, the last accepted one, or null. */
  readonly compiled: CompiledBudget | null;
  readonly spanning: boolean;
  readonly workspaces: readonly Ref[];
}

/** A stored budget and the workspaces that it applies to. */
export interface AcceptedBudget {
  readonly compiled: CompiledBudget;
  readonly spanning: boolean;
  readonly workspaces: Set<Ref>;
}

/** The workspaces that exist: what is in force of each, null for nothing. */
export type Workspaces = ReadonlyMap<Ref, OwnPart | null>;

/** The budgets of the stored shards, by `namespace/name`. */
export function previousBudgets({ policy, shared }: PreviousShards): ReadonlyMap<Ref, AcceptedBudget> {
  const budgets = new Map<Ref, AcceptedBudget>();
  const add = (compiled: CompiledBudget, spanning: boolean): AcceptedBudget => {
    const known = budgets.get(refOf(compiled)) ?? { compiled, spanning, workspaces: new Set() };
    budgets.set(refOf(compiled), known);
    return known;
  };
  for (const compiled of shared?.budgets.values() ?? []) add(compiled, true);
  for (const shard of policy.values()) {
    for (const [workspace, { budgets: own, spanning }] of shard.workspaces) {
      for (const compiled of own) add(compiled, false).workspaces.add(workspace);
      for (const compiled of spanning.flatMap((address) => shared?.budgets.get(address) ?? [])) {
        add(compiled, true).workspaces.add(workspace);
      }
    }
  }
  return budgets;
}

/** Compiles one budget and finds its workspaces. `previousOf` is only asked for a budget that is not accepted. */
export function targetBudget(
  resource: ClaudeBudget & Cut,
  previousOf: (budget: Ref) => AcceptedBudget | undefined,
  existing: Workspaces,
  input: CompileInput,
  cache: CompileCache,
): TargetedBudget {
  const ref = refOf(resource.metadata);
  const generation = resource.metadata.generation ?? 0;
  const { accepted, compiled } = validateResource(() => ({
    budget: cache.compiled(resource, input.settings, () => compileBudget(resource, input.settings)),
    workspaces: targets(resource, existing, input),
  }));
  const found = { ref, created: resource.metadata.creationTimestamp ?? '', generation, accepted };
  if (compiled === null) return { ...found, ...lastAccepted(resource, previousOf(ref), existing, input) };
  const { budget, workspaces } = compiled;
  const bytes = resource.cutBytes ?? cache.bytes(budget);
  if (bytes > MAX_BYTES.ClaudeBudget) {
    const last = lastAccepted(resource, previousOf(ref), existing, input);
    const restrained = last.compiled === null ? null : restrainBudget(last.compiled, budget);
    const tooLarge = largerThanAllowed('ClaudeBudget', bytes, restrained !== null);
    return { ...found, ...last, compiled: restrained, accepted: tooLarge };
  }
  return {
    ...found,
    accepted: unpooled(budget, workspaces, existing, input.settings) ?? accepted,
    compiled: budget,
    spanning: resource.spec.namespaceSelector !== undefined,
    workspaces,
  };
}

/** The stored form of a budget that is not accepted, with the workspaces that it applies to now. */
function lastAccepted(
  { metadata, spec }: ClaudeBudget,
  previous: AcceptedBudget | undefined,
  existing: Workspaces,
  input: CompileInput,
): Pick<TargetedBudget, 'compiled' | 'spanning' | 'workspaces'> {
  if (previous === undefined) return NOTHING;
  const { compiled, spanning } = previous;
  // It goes on selecting: else a workspace that is made, or made again, after a bad edit would be free of the budget.
  if (compiled.spanning !== undefined) {
    return { compiled, spanning, workspaces: selectedWorkspaces(compiled.spanning.selector, existing, input) };
  }
  const kept = [...previous.workspaces].filter((ref) => isInForce(existing, ref));
  // Schema 2 did not store the selector; that of the edit can only add workspaces.
  const selector = spanning && metadata.namespace === input.settings.namespace ? spec.namespaceSelector : undefined;
  const added = selector === undefined ? [] : selectedWorkspaces(selector, existing, input);
  const workspaces = [...new Set([...kept, ...added])].toSorted();
  return workspaces.length === 0 ? NOTHING : { compiled, spanning, workspaces };
}

const NOTHING = { compiled: null, spanning: false, workspaces: [] } as const;

function targets({ metadata, spec }: ClaudeBudget, existing: Workspaces, input: CompileInput): readonly Ref[] {
  if (spec.workspaceRef !== undefined) {
    const workspace = `${metadata.namespace}/${spec.workspaceRef.name}`;
    if (!existing.has(workspace)) {
      const others = [...existing.keys()].filter((ref) => namespaceOf(ref) === metadata.namespace);
      const nearest = nearestName(workspace, others, (ref) => ref.slice(ref.indexOf('/')));
      const remedy = nearest === null ? 'Create it or name another.' : `Did you mean ${nearest}?`;
      const message = `spec.workspaceRef: ClaudeWorkspace ${workspace} does not exist. ${remedy}`;
      throw new NotAccepted('WorkspaceNotFound', message);
    }
    return isInForce(existing, workspace) ? [workspace] : [];
  }
  return selectedWorkspaces(spec.namespaceSelector ?? {}, existing, input);
}

/** The workspaces in force of the namespaces that a selector matches, sorted. */
export function selectedWorkspaces(selector: LabelSelector, existing: Workspaces, input: CompileInput): readonly Ref[] {
  const selected = new Set(
    [...input.namespaces].filter(([, { labels }]) => selects(selector, labels)).map(([name]) => name),
  );
  return [...existing.values()]
    .filter((own) => own !== null && selected.has(own.namespace))
    .map((own) => refOf(own!))
    .toSorted();
}

function isInForce(existing: Workspaces, workspace: Ref): boolean {
  return (existing.get(workspace) ?? null) !== null;
}

/**
 * The finding for a budget with counters for values that callers set, and no total: it is enforced safely (see
 * `CounterValues`), but not as its spec reads, so it is not accepted. Null for any other budget.
 */
function unpooled(
  budget: CompiledBudget,
  workspaces: readonly Ref[],
  existing: Workspaces,
  settings: Settings,
): Finding<'Accepted'> | null {
  const chosen = budget.per.filter((name) => !isNamespaceAttribute(name, settings));
  if (budget.totalNano !== undefined || budget.spanning !== undefined) return null;
  for (const ref of workspaces) {
    const workspace = existing.get(ref)!;
    const name = chosen.find((attribute) => workspace.keys.some((key) => isSetByCaller(workspace, key, attribute)));
    if (name !== undefined) {
      const message = `spec.per: callers of ${ref} set ${name}, so that each could open a new counter. Set spec.limit.totalUsd. Until then what they say is ignored and their calls share one counter.`;
      return { reason: 'Unpooled', message };
    }
  }
  return null;
}

/** Compiles one budget without its workspaces. Throws `NotAccepted`. */
function compileBudget({ metadata, spec }: ClaudeBudget, settings: Settings): CompiledBudget {
  checkTarget(spec, metadata.namespace, settings);
  checkValues(spec);
  const { limit, whenSpent, namespaceSelector } = spec;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    generation: metadata.generation ?? 0,
    mode: spec.mode,
    ...(spec.mode === 'Observe' ? { observeUntil: observeUntil(spec) } : {}),
    suspend: spec.suspend,
    scope: scopeAt('spec.scope', spec.scope),
    per: spec.per,
    period: periodOf(spec.period),
    limitNano: amountOf('spec.limit.usd', limit.usd),
    ...(limit.totalUsd === undefined ? {} : { totalNano: amountOf('spec.limit.totalUsd', limit.totalUsd) }),
    toleranceNano: amountOf('spec.limit.toleranceUsd', limit.toleranceUsd),
    ...(spec.namespaceSelector === undefined
      ? {}
      : { workspaceReservePercent: limit.workspaceReservePercent ?? DEFAULT_WORKSPACE_RESERVE_PERCENT }),
    overrides: limit.overrides.map(({ values, usd }, i) => ({
      values: valuesAt(`spec.limit.overrides[${i}].values`, values),
      limitNano: amountOf(`spec.limit.overrides[${i}].usd`, usd),
    })),
    grants: spec.grants.map(({ usd, fromTime, untilTime }, i) => ({
      amountNano: amountOf(`spec.grants[${i}].usd`, usd),
      from: fromTime === undefined ? 0 : instantOf(`spec.grants[${i}].fromTime`, fromTime),
      until: instantOf(`spec.grants[${i}].untilTime`, untilTime),
    })),
    ...(whenSpent.exempt === undefined ? {} : { exempt: scopeAt('spec.whenSpent.exempt', whenSpent.exempt) }),
    criticalExtraNano: amountOf('spec.whenSpent.criticalExtraUsd', whenSpent.criticalExtraUsd),
    ...(namespaceSelector === undefined ? {} : { spanning: compileSpanning({ ...spec, namespaceSelector }, settings) }),
  };
}

function checkTarget(spec: ClaudeBudgetSpec, namespace: string, settings: Settings): void {
  if ((spec.workspaceRef === undefined) === (spec.namespaceSelector === undefined)) {
    throw new NotAccepted('Invalid', 'spec: give either workspaceRef or namespaceSelector.');
  }
  if (spec.namespaceSelector === undefined && spec.limit.workspaceReservePercent !== undefined) {
    throw new NotAccepted(
      'Invalid',
      'spec.limit.workspaceReservePercent: remove it, or set spec.namespaceSelector; a budget of one workspace is shared with no other.',
    );
  }
  if (spec.namespaceSelector !== undefined && namespace !== settings.namespace) {
    const message = `spec.namespaceSelector is allowed only in namespace ${settings.namespace}, because such a budget spans workspaces. Set spec.workspaceRef instead.`;
    throw new NotAccepted('SpanningNotAllowed', message);
  }
  if (spec.namespaceSelector !== undefined) return;
  if (spec.disclosure !== undefined) {
    throw new NotAccepted('Invalid', 'spec.disclosure: remove it; callers see all figures of their own budgets.');
  }
  if (spec.per.includes('namespace')) {
    throw new NotAccepted('Invalid', 'spec.per: leave out namespace; all calls of the budget have the same.');
  }
}

/** A time for `spec.observeUntilTime` that is absent, so that the restrained form with one is no longer. */
function observeUntil({ observeUntilTime }: ClaudeBudgetSpec): number {
  return observeUntilTime === undefined ? END_OF_TIME : instantOf('spec.observeUntilTime', observeUntilTime);
}

function checkValues({ per, limit, mode, observeUntilTime }: ClaudeBudgetSpec): void {
  if (observeUntilTime !== undefined && mode !== 'Observe') {
    throw new NotAccepted('Invalid', 'spec.observeUntilTime: remove it, or set spec.mode to Observe.');
  }
  if (limit.totalUsd !== undefined && per.length === 0) {
    throw new NotAccepted(
      'Invalid',
      'spec.limit.totalUsd: remove it, or set spec.per; without per the limit is the total.',
    );
  }
  if (limit.overrides.some(({ values }) => values.length !== per.length)) {
    throw new NotAccepted('Invalid', 'spec.limit.overrides: give each one value for every attribute in spec.per.');
  }
}

function periodOf({ every, timeZone, startTime }: ClaudeBudgetSpec['period']): CompiledPeriod {
  if (!isTimeZone(timeZone)) {
    const message = `spec.period.timeZone: ${JSON.stringify(timeZone)} is not a known time zone. Write UTC or a name such as Europe/Berlin.`;
    throw new NotAccepted('Invalid', message);
  }
  if ((every === 'Once') !== (startTime !== undefined)) {
    throw new NotAccepted('Invalid', 'spec.period.startTime: give it to a budget for Once, and to no other.');
  }
  return startTime === undefined
    ? { every, timeZone }
    : { every, timeZone, start: instantOf('spec.period.startTime', startTime) };
}
