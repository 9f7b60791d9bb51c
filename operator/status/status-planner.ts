import { setImmediate } from 'node:timers/promises';
import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import { keyOf } from '../../kube/object.ts';
import type { CounterMinimum } from '../../ledger/ledger.ts';
import type { CompileOutput } from '../../policy/compile/compile-output.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { CompiledBudget, Ref } from '../../policy/core/compiled-policy.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import type { Finding } from '../../policy/core/conditions.ts';
import { deepEqual } from '../../policy/core/deep-equal.ts';
import { PeriodCache } from '../../policy/core/period.ts';
import type { Rollout } from '../../policy/status/readiness.ts';
import type { Informers } from '../cluster/informers.ts';
import { budgets, workspaces } from '../cluster/kube-kinds.ts';
import type { LedgerSoundness } from '../ledger/ledger-guard.ts';
import type { PolicyReconciler } from '../policy/policy-reconciler.ts';
import { Programming, rolloutOf } from '../policy/rollout.ts';
import type { LedgerReader } from './ledger-reader.ts';
import { statusFloors } from './status-floors.ts';
import type { StatusWriter } from './status-writer.ts';
import { budgetStatus, workspaceStatus } from './status.ts';

interface StatusesOptions {
  readonly world: Pick<Informers, 'workspaces' | 'budgets' | 'endpoints'>;
  readonly view: LedgerReader;
  readonly writer: Pick<StatusWriter, 'want' | 'known' | 'forget' | 'forgetAll'>;
  readonly settings: Settings;
  /** The hashes of the keys in place, by workspace and name. */
  readonly keys: () => ReadonlyMap<Ref, Readonly<Record<string, string>>>;
  readonly isOf: PolicyReconciler['isOf'];
  readonly logged: () => Finding<'Logged'>;
  /** A clock that never jumps, for durations. Milliseconds. */
  readonly elapsed: () => number;
  readonly soundness: () => LedgerSoundness;
}

/** What all statuses are worked out from. `now` in milliseconds. */
interface Basis {
  readonly output: CompileOutput;
  readonly rollout: Rollout;
  readonly now: number;
}

/** So many at a time. */
const PORTION = 500;

/** Works out what every status should say, and asks the writer for it. */
export class StatusPlanner {
  readonly #options: StatusesOptions;
  readonly #programming = new Programming();
  /** By uid what each status was worked out from; and, where nothing is under way, what that was worked out from. */
  readonly #causes = new Map<string, readonly unknown[]>();
  readonly #sources = new Map<string, readonly unknown[]>();
  readonly #periods = new PeriodCache();
  #basis: Basis | undefined;

  constructor(options: StatusesOptions) {
    this.#options = options;
  }

  /**
   * Returns whether something is not programmed yet that gateways may be about to report. Of thousands it lets go in
   * between, so that no edit waits for it, and ends where `isOver` says that it is for nothing.
   */
  async refresh(
    output: CompileOutput,
    fences: ReadonlyMap<Ref, number> | null,
    now: number,
    isOver: () => boolean,
  ): Promise<boolean> {
    const { world, view } = this.#options;
    const rollout = unchanged(this.#basis?.rollout, rolloutOf(fences, world.endpoints.values(), view.reports));
    const basis = { output, rollout, now };
    this.#basis = basis;
    let isPending = this.#workspaces(basis);
    let count = 0;
    for (const [ref, budget] of world.budgets.entries()) {
      isPending = this.#budget(ref, budget, basis) || isPending;
      count += 1;
      if (count % PORTION > 0) continue;
      await setImmediate();
      if (isOver()) return true;
    }
    return isPending;
  }

  /** Brings what is wanted of some of the budgets up to date. */
  again(refs: readonly Ref[], now: number): void {
    const { world } = this.#options;
    if (this.#basis === undefined) return;
    const basis = { ...this.#basis, now };
    for (const ref of refs) {
      const budget = world.budgets.get(ref);
      if (budget !== undefined) this.#budget(ref, budget, basis);
    }
  }

  /** What the statuses, as they were written last, know of the counters of the periods at `now` (milliseconds). */
  floors(output: CompileOutput | undefined, now: number): readonly CounterMinimum[] {
    if (output === undefined) return [];
    const { world, writer } = this.#options;
    return inForce(output).flatMap((compiled) => {
      const budget = world.budgets.get(refOf(compiled));
      return budget === undefined ? [] : statusFloors(compiled, writer.known(budget), now, this.#periods.at);
    });
  }

  /** The object with that uid is gone. */
  forget(uid: string): void {
    this.#programming.forget(uid);
    this.#causes.delete(uid);
    this.#sources.delete(uid);
    this.#options.writer.forget(uid);
  }

  /** Another leader has written meanwhile: everything is worked out anew. */
  forgetAll(): void {
    this.#causes.clear();
    this.#sources.clear();
    this.#options.writer.forgetAll();
  }

  #workspaces({ output, rollout, now }: Basis): boolean {
    const { world, writer, settings, isOf } = this.#options;
    const hashes = this.#options.keys();
    const logged = this.#options.logged();
    let isPending = false;
    for (const workspace of world.workspaces.values()) {
      const ref = keyOf(workspace.metadata);
      const verdict = output.workspaces.get(ref);
      if (verdict === undefined || !isOf(workspace, verdict)) continue;
      const keys = new Set(Object.keys(hashes.get(ref) ?? {}));
      const known = { ...workspace, status: writer.known(workspace) } as ClaudeWorkspace;
      const uid = workspace.metadata.uid ?? '';
      const target = { uid, reached: [], wasProven: wasProgrammed(known) };
      const programmed = this.#programming.finding(target, verdict, rollout, this.#options.elapsed());
      isPending ||= isUnderWay(programmed);
      if (programmed === null) continue;
      const { reason, message } = programmed;
      const causes = [workspace, known.status, verdict, reason, message, logged.reason, [...keys].join(' ')];
      if (this.#isWorkedOut(uid, causes)) continue;
      const facts = { workspace: known, verdict, programmed, logged, settings, keys, now };
      writer.want(workspaces, workspace, workspaceStatus(facts));
    }
    return isPending;
  }

  /** Returns whether it is under way to the gateways. */
  #budget(ref: Ref, budget: ClaudeBudget, { output, rollout, now }: Basis): boolean {
    const { world, writer, view, soundness, isOf } = this.#options;
    const verdict = output.budgets.get(ref);
    if (verdict === undefined || !isOf(budget, verdict)) return false;
    const status = writer.known(budget);
    const observed = verdict.inForce === null ? NOTHING : view.observed(ref, soundness());
    const uid = budget.metadata.uid ?? '';
    const sources = [budget, status, verdict, rollout, observed];
    if (isEach(sources, this.#sources.get(uid))) return false;
    this.#sources.delete(uid);
    const reached = verdict.required.map(({ workspace }) => world.workspaces.get(workspace)?.metadata.uid);
    // Which workspaces a spanning budget reached when its status was written is not known.
    const wasProven = !verdict.spanning && wasProgrammed({ ...budget, status } as ClaudeBudget);
    const target = { uid, reached, wasProven };
    const programmed = this.#programming.finding(target, verdict, rollout, this.#options.elapsed());
    if (programmed === null) return true;
    const { reason, message } = programmed;
    const { accepted, inForce, required } = verdict;
    const causes = [
      budget,
      status,
      accepted.reason,
      accepted.message,
      inForce,
      required.length,
      reason,
      message,
      observed,
    ];
    if (observed !== undefined && !this.#isWorkedOut(uid, causes)) {
      const known = { ...budget, status } as ClaudeBudget;
      writer.want(
        budgets,
        budget,
        budgetStatus({ budget: known, verdict, programmed, observed, now, periods: this.#periods.at }),
      );
    }
    if (reason === 'Pending') return true;
    this.#sources.set(uid, sources);
    return false;
  }

  /** Whether the status was worked out from the very same before: of thousands few change from one look to the next. */
  #isWorkedOut(uid: string, causes: readonly unknown[]): boolean {
    if (isEach(causes, this.#causes.get(uid))) return true;
    this.#causes.set(uid, causes);
    return false;
  }
}

/** The rollout of before, where nothing has changed since. */
function unchanged(before: Rollout | undefined, now: Rollout): Rollout {
  if (before === undefined || before.fences !== now.fences) return now;
  return deepEqual([...before.gateways], [...now.gateways]) ? before : now;
}

function isEach(these: readonly unknown[], those: readonly unknown[] | undefined): boolean {
  if (those === undefined) return false;
  for (let i = 0; i < these.length; i += 1) if (these[i] !== those[i]) return false;
  return true;
}

const NOTHING = { reason: 'NotInForce', problem: 'The budget was never accepted, so nothing is counted.' } as const;

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
