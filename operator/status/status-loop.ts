import { keyOf } from '../../kube/object.ts';
import type { LedgerState } from '../../ledger/ledger.ts';
import type { CompileOutput } from '../../policy/compile/compile-output.ts';
import type { CompiledBudget, Ref } from '../../policy/core/compiled-policy.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import type { LedgerGuard } from '../ledger/ledger-guard.ts';
import type { Presumed } from '../ledger/presumed.ts';
import type { PolicyReconciler } from '../policy/policy-reconciler.ts';
import type { LedgerReader } from './ledger-reader.ts';
import { inForce, type StatusPlanner } from './status-planner.ts';
import type { StatusWriter } from './status-writer.ts';

interface ReportOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** A clock that never jumps, for durations. Milliseconds. */
  readonly elapsed: () => number;
  readonly policy: Pick<PolicyReconciler, 'output' | 'raised' | 'isUnderWay'>;
  readonly view: LedgerReader;
  readonly epoch: Pick<LedgerGuard, 'check' | 'soundness'>;
  readonly presumed: Pick<Presumed, 'obey' | 'expire'>;
  readonly statuses: StatusPlanner;
  readonly writer: Pick<StatusWriter, 'flush' | 'isBehind' | 'isUrgent'>;
  readonly sweep: () => Promise<number>;
  /** The ledger answers again, after it did not: fences may be missing there. */
  readonly onReachable: () => void;
  readonly onProblem: (error: unknown) => void;
}

/** How often the ledger is looked at while something is on its way to the gateways, and else. Milliseconds. */
const SOON_MS = 200;
const CALM_MS = 1_000;
/** Working out what all statuses should say takes no more than this part of the time: of thousands it takes a while. */
const SHARE = 0.25;
/** For so long edits that follow each other may end that work in its middle. Milliseconds. */
const PATIENCE_MS = 2_000;
/** In about this time every budget is read once more, so many at a time: of thousands never all at once, lest an edit waits. */
const ROUND_MS = 1_000;
const SLICE = 500;
/** Reading takes no more than this part of the time. */
const READING_SHARE = 0.2;
/** How often something is written while something waits for that. Milliseconds. */
const WRITE_MS = 100;
const URGENT_MS = 30;
/** How often silent gateways are looked for. Milliseconds. */
const SWEEP_MS = 5_000;

/** Reads the ledger, keeps its epoch, and brings the statuses up to date: one turn, again and again. */
export class StatusLoop {
  readonly #options: ReportOptions;
  #isReachable = true;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #of: CompileOutput | undefined;
  #inForce: readonly CompiledBudget[] = [];
  #raised: PolicyReconciler['raised'] = null;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #tookMs = 0;
  #isPending = false;
  /** When all statuses were worked out last. */
  #doneAt = Number.NEGATIVE_INFINITY;
  #readOnAt = Number.NEGATIVE_INFINITY;
  /** The first of the budgets in force that is read next. */
  #next = 0;

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  /** One turn. Returns after how many milliseconds the next one is due. */
  async turn(): Promise<number> {
    const { elapsed, writer } = this.#options;
    if (this.#isDue) await this.#refresh();
    if (elapsed() >= this.#readOnAt) await this.#readOn();
    await writer.flush((subjects) => this.#read(subjects.map(({ metadata }) => keyOf(metadata))));
    const next = Math.min(this.#nextAt, this.#readOnAt) - elapsed();
    const wait = writer.isUrgent ? URGENT_MS : writer.isBehind ? WRITE_MS : next;
    return Math.max(0, Math.min(next, wait));
  }

  get #nextAt(): number {
    return this.#lookedAt + Math.max(this.#isPending ? SOON_MS : CALM_MS, this.#tookMs / SHARE);
  }

  get #isDue(): boolean {
    const { elapsed, policy } = this.#options;
    if (elapsed() >= this.#nextAt) return true;
    // In the middle of a pass it would be looked at for nothing: the fences follow.
    return !policy.isUnderWay && (policy.output !== this.#of || policy.raised !== this.#raised);
  }

  async #refresh(): Promise<void> {
    const { clock, elapsed, policy, statuses } = this.#options;
    this.#lookedAt = elapsed();
    this.#raised = policy.raised;
    const state = await this.#look();
    if (state !== undefined) await this.#keep(state);
    const { output } = policy;
    const begun = elapsed();
    const isOver = () => {
      // Another policy knows other objects, and says nothing of these verdicts; and one that is under way comes first.
      return policy.output !== output || (policy.isUnderWay && elapsed() - this.#doneAt < PATIENCE_MS);
    };
    this.#isPending = output !== undefined && (await statuses.refresh(output, policy.raised, clock(), isOver));
    this.#tookMs = elapsed() - begun;
    if (!isOver()) this.#doneAt = elapsed();
  }

  /** Reads the next slice of the budgets. */
  async #readOn(): Promise<void> {
    const begun = this.#options.elapsed();
    const from = this.#next < this.#inForce.length ? this.#next : 0;
    const slice = this.#inForce.slice(from, from + SLICE);
    this.#next = from + SLICE;
    this.#readOnAt = begun + ROUND_MS;
    if (slice.length === 0) return;
    const readMs = await this.#read(slice.map(refOf));
    this.#readOnAt = begun + Math.max((ROUND_MS * slice.length) / this.#inForce.length, readMs / READING_SHARE);
  }

  /**
   * Reads some of the budgets again and says what came of it; what is about to be shown too, so that it is not as old as the
   * last slice. Returns how long the reading took; 0 where it failed, which the next look tells.
   */
  async #read(refs: readonly Ref[]): Promise<number> {
    const { view, epoch, statuses, clock, elapsed } = this.#options;
    const budgets = refs.flatMap((ref) => this.#of?.budgets.get(ref)?.inForce ?? []);
    const begun = elapsed();
    let readMs = 0;
    try {
      const state = await view.read(budgets);
      readMs = elapsed() - begun;
      await this.#judge(state);
      if (epoch.soundness === 'Sound') statuses.again(refs, clock());
    } catch {
      // The next look says what is wrong.
    }
    return readMs;
  }

  async #judge(state: LedgerState): Promise<void> {
    const { view, epoch } = this.#options;
    await epoch.check(state).finally(() => epoch.soundness === 'Sound' || view.distrust());
  }

  async #look(): Promise<LedgerState | undefined> {
    const { view, onReachable, onProblem } = this.#options;
    try {
      const state = await view.look(this.#budgets());
      if (!this.#isReachable) onReachable();
      this.#isReachable = true;
      return state;
    } catch (error) {
      if (this.#isReachable) onProblem(error);
      this.#isReachable = false;
      return undefined;
    }
  }

  async #keep(state: LedgerState): Promise<void> {
    const { epoch, presumed, sweep, elapsed, onProblem } = this.#options;
    try {
      await this.#judge(state);
      if (epoch.soundness !== 'Sound') return;
      await presumed.obey();
      if (elapsed() - this.#sweptAt < SWEEP_MS) return;
      this.#sweptAt = elapsed();
      await sweep();
      await presumed.expire(state.now);
    } catch (error) {
      onProblem(error);
    }
  }

  /** The same list for the same output: that is how the view knows that nothing was compiled in between. */
  #budgets(): readonly CompiledBudget[] {
    const { output } = this.#options.policy;
    if (output !== undefined && output !== this.#of) this.#inForce = inForce(output);
    this.#of = output;
    return this.#inForce;
  }
}
