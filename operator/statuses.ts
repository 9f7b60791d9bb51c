import type { Floor } from '../ledger/ledger.ts';
import { keyOf } from '../kube/object.ts';
import type { CompileOutput } from '../policy/compilation.ts';
import type { CompiledBudget, Ref } from '../policy/compiled.ts';
import type { Finding } from '../policy/conditions.ts';
import type { Rollout } from '../policy/readiness.ts';
import type { Settings } from '../policy/settings.ts';
import { refOf } from '../policy/terms.ts';
import type { ClaudeBudget, ClaudeWorkspace } from '../crds/types.gen.ts';
import { floorsOf } from './floors.ts';
import type { Soundness } from './epoch.ts';
import type { LedgerView } from './ledgerview.ts';
import { Programming, rolloutOf } from './rollout.ts';
import type { Policy } from './policy.ts';
import { budgets, workspaces } from './resources.ts';
import { budgetStatus, workspaceStatus } from './status.ts';
import type { StatusWriter } from './statuswriter.ts';
import type { World } from './world.ts';

interface StatusesOptions {
  readonly world: Pick<World, 'workspaces' | 'budgets' | 'endpoints'>;
  readonly view: LedgerView;
  readonly writer: Pick<StatusWriter, 'want' | 'known' | 'forget'>;
  readonly settings: Settings;
  /** The hashes of the keys in place, by workspace and name. */
  readonly keys: () => ReadonlyMap<Ref, Readonly<Record<string, string>>>;
  readonly isOf: Policy['isOf'];
  readonly logged: (now: number) => Finding<'Logged'>;
  readonly soundness: () => Soundness;
}

/** Works out what every status should say, and asks the writer for it. */
export class Statuses {
  readonly #options: StatusesOptions;
  readonly #programming = new Programming();

  constructor(options: StatusesOptions) {
    this.#options = options;
  }

  /** Returns whether something is not programmed yet that gateways may be about to report. */
  refresh(output: CompileOutput, fences: ReadonlyMap<Ref, number> | null, now: number): boolean {
    const { world, view } = this.#options;
    const rollout = rolloutOf(fences, world.endpoints.values(), view.reports);
    const pendingWorkspaces = this.#workspaces(output, rollout, now);
    const pendingBudgets = this.#budgets(output, rollout, now);
    return pendingWorkspaces || pendingBudgets;
  }

  /** What the statuses, as they were written last, know of the counters of the periods at `now` (milliseconds). */
  floors(output: CompileOutput | undefined, now: number): readonly Floor[] {
    if (output === undefined) return [];
    const { world, writer } = this.#options;
    return inForce(output).flatMap((compiled) => {
      const budget = world.budgets.get(refOf(compiled));
      return budget === undefined ? [] : floorsOf(compiled, writer.known(budgets, budget), now);
    });
  }

  forget(kind: 'workspace' | 'budget', ref: Ref): void {
    this.#programming.forget(`${kind} ${ref}`);
    this.#options.writer.forget(kind === 'workspace' ? workspaces : budgets, ref);
  }

  #workspaces(output: CompileOutput, rollout: Rollout, now: number): boolean {
    const { world, writer, settings, isOf } = this.#options;
    const hashes = this.#options.keys();
    const logged = this.#options.logged(now);
    let isPending = false;
    for (const workspace of world.workspaces.values()) {
      const ref = keyOf(workspace.metadata);
      const verdict = output.workspaces.get(ref);
      if (verdict === undefined || !isOf(workspace, verdict)) continue;
      const keys = new Set(Object.keys(hashes.get(ref) ?? {}));
      const known = { ...workspace, status: writer.known(workspaces, workspace) } as ClaudeWorkspace;
      const target = { key: `workspace ${ref}`, uids: [workspace.metadata.uid], wasProven: wasProgrammed(known) };
      const programmed = this.#programming.finding(target, verdict, rollout, now);
      isPending ||= isUnderWay(programmed);
      if (programmed === null) continue;
      const facts = { workspace: known, verdict, programmed, logged, settings, keys, now };
      writer.want(workspaces, workspace, workspaceStatus(facts));
    }
    return isPending;
  }

  #budgets(output: CompileOutput, rollout: Rollout, now: number): boolean {
    const { world, writer, view, soundness, isOf } = this.#options;
    let isPending = false;
    for (const budget of world.budgets.values()) {
      const ref = keyOf(budget.metadata);
      const verdict = output.budgets.get(ref);
      if (verdict === undefined || !isOf(budget, verdict)) continue;
      const known = { ...budget, status: writer.known(budgets, budget) } as ClaudeBudget;
      const reached = verdict.proof.map(({ workspace }) => world.workspaces.get(workspace)?.metadata.uid);
      // Which workspaces a spanning budget reached when its status was written is not known.
      const wasProven = !verdict.spanning && wasProgrammed(known);
      const target = { key: `budget ${ref}`, uids: [budget.metadata.uid, ...reached], wasProven };
      const programmed = this.#programming.finding(target, verdict, rollout, now);
      isPending ||= isUnderWay(programmed);
      if (programmed === null) continue;
      const observed = verdict.inForce === null ? NOTHING : view.observed(ref, soundness(), now);
      if (observed === undefined) continue;
      writer.want(budgets, budget, budgetStatus({ budget: known, verdict, programmed, observed, now }));
    }
    return isPending;
  }
}

const NOTHING = { reason: 'NotInForce', problem: 'Nothing of this budget is in force.' } as const;

/** All budgets in force, each once. */
export function inForce({ budgets }: CompileOutput): readonly CompiledBudget[] {
  return [...budgets.values()].flatMap(({ inForce }) => inForce ?? []);
}

function isUnderWay(programmed: Finding<'Programmed'> | null): boolean {
  return programmed === null || programmed.reason === 'Pending';
}

function wasProgrammed({ metadata, status }: ClaudeBudget | ClaudeWorkspace): boolean {
  const found = status?.conditions?.find(({ type }) => type === 'Programmed');
  return found?.status === 'True' && found.observedGeneration === metadata.generation;
}
