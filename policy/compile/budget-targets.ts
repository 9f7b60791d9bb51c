/** Which budgets govern which workspaces: those that are accepted, and of the others what stood before. */

import type { ClaudeBudget, ClaudeBudgetSpec } from '../../crds/types.gen.ts';
import type { CompiledBudget, Ref } from '../core/compiled-policy.ts';
import { refOf } from '../core/compiled-policy.ts';
import type { Finding } from '../core/conditions.ts';
import { callersSet } from '../core/matching.ts';
import { compileBudget } from './compile-budget.ts';
import type { CompileInput, Previous } from './compile-types.ts';
import type { OwnPart } from './compile-workspace.ts';
import { validateResource, NotAccepted } from './resource-validation.ts';

/** One budget with the workspaces that it governs, sorted. */
export interface TargetedBudget {
  readonly ref: Ref;
  readonly generation: number;
  readonly accepted: Finding<'Accepted'>;
  /** This generation, the last accepted one, or null. */
  readonly compiled: CompiledBudget | null;
  readonly spanning: boolean;
  readonly governs: readonly Ref[];
}

/** A budget as it was enforced before, and where. */
export interface AcceptedBudget {
  readonly compiled: CompiledBudget;
  readonly spanning: boolean;
  readonly governed: Set<Ref>;
}

/** The budgets of the shards as they stand, by `namespace/name`. */
export function budgetsBefore({ policy, shared }: Previous): ReadonlyMap<Ref, AcceptedBudget> {
  const stood = new Map<Ref, AcceptedBudget>();
  const add = (compiled: CompiledBudget, spanning: boolean, workspace: Ref): void => {
    const known = stood.get(refOf(compiled)) ?? { compiled, spanning, governed: new Set() };
    stood.set(refOf(compiled), known);
    known.governed.add(workspace);
  };
  for (const { workspaces } of policy.values()) {
    for (const [workspace, { budgets, spanning }] of workspaces) {
      for (const compiled of budgets) add(compiled, false, workspace);
      for (const compiled of spanning.flatMap((address) => shared?.budgets.get(address) ?? [])) {
        add(compiled, true, workspace);
      }
    }
  }
  return stood;
}

/**
 * Compiles one budget. `stoodAs` is asked only where it is not accepted. `workspaces`: of every one that exists what is
 * in force of it, null for nothing.
 */
export function targetBudget(
  resource: ClaudeBudget,
  stoodAs: (budget: Ref) => AcceptedBudget | undefined,
  workspaces: ReadonlyMap<Ref, OwnPart | null>,
  input: CompileInput,
): TargetedBudget {
  const ref = refOf(resource.metadata);
  const generation = resource.metadata.generation ?? 0;
  const { accepted, compiled } = validateResource(() => ({
    budget: compileBudget(resource, input.settings),
    governs: targets(resource, workspaces, input),
  }));
  if (compiled === null) {
    const before = stoodAs(ref);
    const governs = [...(before?.governed ?? [])].filter((workspace) => isInForce(workspaces, workspace)).toSorted();
    const stands = before !== undefined && governs.length > 0;
    return {
      ref,
      generation,
      accepted,
      compiled: stands ? before.compiled : null,
      spanning: stands && before.spanning,
      governs,
    };
  }
  const { budget, governs } = compiled;
  const spanning = resource.spec.namespaceSelector !== undefined;
  return {
    ref,
    generation,
    accepted: unpooled(budget, governs, workspaces) ?? accepted,
    compiled: budget,
    spanning,
    governs,
  };
}

function targets(
  { metadata, spec }: ClaudeBudget,
  workspaces: ReadonlyMap<Ref, OwnPart | null>,
  input: CompileInput,
): readonly Ref[] {
  if (spec.workspaceRef !== undefined) {
    const workspace = `${metadata.namespace}/${spec.workspaceRef.name}`;
    if (!workspaces.has(workspace)) {
      throw new NotAccepted('WorkspaceNotFound', `spec.workspaceRef: there is no ClaudeWorkspace ${workspace}.`);
    }
    return isInForce(workspaces, workspace) ? [workspace] : [];
  }
  const selected = new Set(
    [...input.namespaces].filter(([, labels]) => selects(spec.namespaceSelector ?? {}, labels)).map(([name]) => name),
  );
  return [...workspaces.values()]
    .filter((own) => own !== null && selected.has(own.namespace))
    .map((own) => refOf(own!))
    .toSorted();
}

function isInForce(workspaces: ReadonlyMap<Ref, OwnPart | null>, workspace: Ref): boolean {
  return (workspaces.get(workspace) ?? null) !== null;
}

/**
 * A budget that counts by what callers claim, without a total: it is enforced, safely (see `Bearing`), but not as it
 * reads, so it is not accepted.
 */
function unpooled(
  budget: CompiledBudget,
  governs: readonly Ref[],
  workspaces: ReadonlyMap<Ref, OwnPart | null>,
): Finding<'Accepted'> | null {
  if (budget.totalNano !== undefined) return null;
  for (const ref of governs) {
    const workspace = workspaces.get(ref)!;
    const name = budget.per.find((attribute) => workspace.keys.some((key) => callersSet(workspace, key, attribute)));
    if (name !== undefined) {
      const message = `spec.per: callers of ${ref} set ${name} by header, so each could open a fresh counter. Set spec.limit.totalUsd; until then what they set is ignored and their calls share one counter.`;
      return { reason: 'Unpooled', message };
    }
  }
  return null;
}

type Selector = NonNullable<ClaudeBudgetSpec['namespaceSelector']>;

/** Whether a label selector matches, as Kubernetes has it: all of it must hold, and the empty one always does. */
function selects(selector: Selector, labels: Readonly<Record<string, string>>): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const has = Object.hasOwn(labels, key);
      const listed = has && values.includes(labels[key]!);
      return { In: listed, NotIn: !listed, Exists: has, DoesNotExist: !has }[operator];
    })
  );
}
