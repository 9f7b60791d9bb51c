import type { LostReason } from '../ledger/ledger.ts';
import { keyOf } from '../kube/object.ts';
import type { BudgetVerdict, CompileOutput, WorkspaceVerdict } from '../policy/compile.ts';
import type { CompiledBudget, Ref } from '../policy/compiled.ts';
import type { Finding } from '../policy/conditions.ts';
import type { ClaudeBudget, ClaudeWorkspace } from '../crds/types.gen.ts';
import type { LedgerView } from './ledgerview.ts';
import { type Enforcers, podsOf, Programming, type Subject } from './programmed.ts';
import { budgets, workspaces } from './resources.ts';
import { budgetStatus, workspaceStatus } from './status.ts';
import type { StatusWriter } from './statuswriter.ts';
import type { World } from './world.ts';

export interface StatusesOptions {
  readonly world: Pick<World, 'workspaces' | 'budgets' | 'endpoints'>;
  readonly view: LedgerView;
  readonly writer: Pick<StatusWriter, 'want' | 'known' | 'forget'>;
  readonly requireBudget: boolean;
  /** The hashes of the keys in place, by workspace and name. */
  readonly keys: () => ReadonlyMap<Ref, Readonly<Record<string, string>>>;
  readonly lost: () => LostReason | null;
}

/** Works out what every status should say, and asks the writer for it. */
export class Statuses {
  readonly #options: StatusesOptions;
  readonly #programming = new Programming();

  constructor(options: StatusesOptions) {
    this.#options = options;
  }

  /** Returns whether something is not programmed yet that gateways may be about to report. */
  refresh(output: CompileOutput, fences: ReadonlyMap<Ref, number>, now: number): boolean {
    const { world, view } = this.#options;
    const enforcers = { fences, pods: podsOf(world.endpoints.values()), reports: view.reports };
    const pendingWorkspaces = this.#workspaces(output, enforcers, now);
    const pendingBudgets = this.#budgets(output, enforcers, now);
    return pendingWorkspaces || pendingBudgets;
  }

  forget(kind: 'workspace' | 'budget', ref: Ref): void {
    this.#programming.forget(`${kind} ${ref}`);
    this.#options.writer.forget(kind === 'workspace' ? workspaces : budgets, ref);
  }

  #workspaces(output: CompileOutput, enforcers: Enforcers, now: number): boolean {
    const { world, writer, requireBudget } = this.#options;
    const hashes = this.#options.keys();
    let isPending = false;
    for (const workspace of world.workspaces.values()) {
      const ref = keyOf(workspace.metadata);
      const verdict = output.workspaces.get(ref);
      if (!isOf(workspace, verdict)) continue;
      const programmed = this.#programming.finding(`workspace ${ref}`, workspaceSubject(workspace, verdict), enforcers);
      isPending ||= programmed.reason === 'Pending';
      const keys = new Set(Object.keys(hashes.get(ref) ?? {}));
      const known = { ...workspace, status: writer.known(workspaces, workspace) } as ClaudeWorkspace;
      const facts = { workspace: known, verdict, programmed, requireBudget, keys, now };
      writer.want(workspaces, workspace, workspaceStatus(facts));
    }
    return isPending;
  }

  #budgets(output: CompileOutput, enforcers: Enforcers, now: number): boolean {
    const { world, writer, view, lost } = this.#options;
    let isPending = false;
    for (const budget of world.budgets.values()) {
      const ref = keyOf(budget.metadata);
      const verdict = output.budgets.get(ref);
      if (!isOf(budget, verdict)) continue;
      const programmed = this.#programming.finding(`budget ${ref}`, budgetSubject(budget, verdict), enforcers);
      isPending ||= programmed.reason === 'Pending';
      const observed = verdict.inForce === null ? NOTHING : view.observed(ref, lost(), now);
      if (observed === undefined) continue;
      const known = { ...budget, status: writer.known(budgets, budget) } as ClaudeBudget;
      writer.want(budgets, budget, budgetStatus({ budget: known, verdict, programmed, observed, now }));
    }
    return isPending;
  }
}

const NOTHING = { problem: 'Nothing of this budget is in force.' };

/** All budgets in force, each once. */
export function inForce({ budgets }: CompileOutput): readonly CompiledBudget[] {
  return [...budgets.values()].flatMap(({ inForce }) => inForce ?? []);
}

/** A verdict over an earlier generation says nothing about this one. */
function isOf<V extends WorkspaceVerdict | BudgetVerdict>(
  { metadata }: ClaudeWorkspace | ClaudeBudget,
  verdict: V | undefined,
): verdict is V {
  return verdict?.generation === metadata.generation;
}

function workspaceSubject({ metadata }: ClaudeWorkspace, { accepted, proof }: WorkspaceVerdict): Subject {
  return { identity: `${metadata.uid} ${metadata.generation}`, accepted, proof, without: null };
}

function budgetSubject({ metadata, spec }: ClaudeBudget, { accepted, proof }: BudgetVerdict): Subject {
  const reached = proof.map(({ workspace }) => workspace).join(' ');
  const without: Finding<'Programmed'> | null =
    spec.workspaceRef !== undefined && proof.length === 0
      ? { reason: 'WorkspaceNotAccepted', message: `Nothing of workspace ${spec.workspaceRef.name} is in force yet.` }
      : null;
  return { identity: `${metadata.uid} ${metadata.generation} ${reached}`, accepted, proof, without };
}
