import type { BudgetOutcome, WorkspaceOutcome } from '../../policy/compile/compile-output.ts';
import type { Finding } from '../../policy/core/conditions.ts';
import { programmed, type Rollout } from '../../policy/status/condition-findings.ts';

interface Target {
  /** Its uid, the same for all generations. */
  readonly uid: string;
  /** The uids of the workspaces that must enforce it: a proof for other workspaces does not count. */
  readonly workspaces: readonly (string | undefined)[];
  /** Whether the written status has Programmed=True for this generation, perhaps from an earlier leader. */
  readonly wasProgrammed: boolean;
}

/** How long a rollout may take before the status says Pending. Most are done sooner. Milliseconds. */
const GRACE_MS = 500;
const PROGRAMMED: Finding<'Programmed'> = {
  reason: 'Programmed',
  message: 'Every gateway that may admit calls enforces it.',
};

/**
 * Decides the condition Programmed. Once a generation is proven it stays so: later versions of a workspace contain the
 * same budget, and the fence stops every gateway that lags behind. So an edit of one budget flips no other's condition.
 */
export class ProgrammedCondition {
  /** The generation and workspaces that were proven, by uid. */
  readonly #proven = new Map<string, string>();
  /** What is being rolled out, and since when, by uid. */
  readonly #pending = new Map<string, { readonly identity: string; readonly since: number }>();

  /** Null within the grace time of a rollout. `elapsed`: a monotonic clock, in milliseconds. */
  find(
    target: Target,
    outcome: WorkspaceOutcome | BudgetOutcome,
    rollout: Rollout,
    elapsed: number,
  ): Finding<'Programmed'> | null {
    const { uid, workspaces, wasProgrammed } = target;
    const identity = [outcome.generation, ...workspaces].join(' ');
    const finding = programmed(outcome, rollout);
    if (finding.reason === 'Pending') {
      const proven = this.#proven.get(uid) ?? (wasProgrammed ? identity : '');
      this.#proven.set(uid, proven);
      if (proven === identity) return PROGRAMMED;
      return elapsed - this.#since(uid, identity, elapsed) < GRACE_MS ? null : finding;
    }
    this.#pending.delete(uid);
    this.#proven.set(uid, finding.reason === 'Programmed' ? identity : '');
    return finding;
  }

  forget(uid: string): void {
    this.#proven.delete(uid);
    this.#pending.delete(uid);
  }

  #since(uid: string, identity: string, elapsed: number): number {
    const pending = this.#pending.get(uid);
    if (pending?.identity === identity) return pending.since;
    this.#pending.set(uid, { identity, since: elapsed });
    return elapsed;
  }
}
