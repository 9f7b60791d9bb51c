import type { LedgerState } from '../ledger/ledger.ts';
import type { Epoch } from './epoch.ts';
import type { LedgerView } from './ledgerview.ts';
import type { Policy } from './policy.ts';
import type { Presumed } from './presumed.ts';
import { inForce, type Statuses } from './statuses.ts';
import type { StatusWriter } from './statuswriter.ts';
import type { CompileOutput } from '../policy/compilation.ts';
import type { CompiledBudget } from '../policy/compiled.ts';

interface ReportOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly policy: Pick<Policy, 'output' | 'raised'>;
  readonly view: LedgerView;
  readonly epoch: Pick<Epoch, 'check' | 'soundness'>;
  readonly presumed: Pick<Presumed, 'obey' | 'expire'>;
  readonly statuses: Statuses;
  readonly writer: Pick<StatusWriter, 'flush'>;
  readonly sweep: () => Promise<number>;
  /** The ledger answers again, after it did not: fences may be missing there. */
  readonly onReachable: () => void;
  readonly onProblem: (error: unknown) => void;
}

/** While something is on its way to the gateways, and else. Milliseconds. */
const SOON_MS = 200;
const CALM_MS = 1_000;
/** How often silent gateways are looked for. Milliseconds. */
const SWEEP_MS = 5_000;

/** Reads the ledger, keeps its epoch, and brings the statuses up to date: one turn, again and again. */
export class Report {
  readonly #options: ReportOptions;
  #isReachable = true;
  #sweptAt = 0;
  #of: CompileOutput | undefined;
  #inForce: readonly CompiledBudget[] = [];

  constructor(options: ReportOptions) {
    this.#options = options;
  }

  /** One turn. Returns after how many milliseconds the next one is due. */
  async turn(): Promise<number> {
    const { clock, policy, statuses, writer } = this.#options;
    const state = await this.#look();
    if (state !== undefined) await this.#keep(state);
    const { output } = policy;
    const isPending = output !== undefined && statuses.refresh(output, policy.raised, clock());
    await writer.flush(clock());
    return isPending ? SOON_MS : CALM_MS;
  }

  async #look(): Promise<LedgerState | undefined> {
    const { view, clock, onReachable, onProblem } = this.#options;
    try {
      const state = await view.look(this.#budgets(), clock());
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
    const { view, epoch, presumed, sweep, clock, onProblem } = this.#options;
    try {
      await epoch.check(state).finally(() => epoch.soundness === 'Sound' || view.distrust());
      if (epoch.soundness !== 'Sound') return;
      await presumed.obey();
      if (clock() - this.#sweptAt < SWEEP_MS) return;
      this.#sweptAt = clock();
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
