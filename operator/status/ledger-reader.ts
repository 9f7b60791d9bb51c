import type { LedgerState, LivingGateway, OperatorLedger } from '../../ledger/ledger.ts';
import type { CompiledBudget, Ref } from '../../policy/core/compiled-policy.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import type { Reading } from '../../policy/core/counter-reading.ts';
import { deepEqual } from '../../policy/core/deep-equal.ts';
import { PeriodCache } from '../../policy/core/period.ts';
import { budgetFiguresQuery } from '../../policy/status/budget-figures.ts';
import type { LedgerSoundness } from '../ledger/ledger-guard.ts';
import type { Observed } from './status.ts';

/** A ledger that was silent or recovering for less is not reported: a fail-over is nobody's news. Milliseconds. */
const SILENCE_MS = 3_000;
/** So many are read at a time: most say what is known, and are garbage at once and not all together. */
const PORTION = 500;

const LOST =
  'Redis holds another ledger, so calls are refused until it is confirmed: annotate ConfigMap tollgate-ledger with tollgate.dev/confirm-ledger.';

const LOST_LEDGER: Observed = { reason: 'LedgerUnreachable', problem: LOST };
const SILENT_LEDGER: Observed = {
  reason: 'LedgerUnreachable',
  problem: 'Redis does not answer; the figures are the last known ones.',
};

/** What was read of a budget. */
interface Known {
  readonly counter: string;
  readonly reading: Reading;
  /** By the ledger's clock, in milliseconds. */
  readonly now: number;
}

/** What the ledger said last. */
export class LedgerReader {
  readonly #ledger: Pick<OperatorLedger, 'read' | 'gateways' | 'state'>;
  readonly #elapsed: () => number;
  readonly #periods = new PeriodCache();
  #state: LedgerState | undefined;
  #reports: readonly LivingGateway[] = [];
  readonly #readings = new Map<Ref, Known>();
  /** Those that were all read. */
  #budgets: readonly CompiledBudget[] = [];
  #answeredAt: number;
  #recovering: Observed | undefined;

  /** `elapsed`: a clock that never jumps. Milliseconds. */
  constructor(ledger: Pick<OperatorLedger, 'read' | 'gateways' | 'state'>, elapsed: () => number) {
    this.#ledger = ledger;
    this.#elapsed = elapsed;
    this.#answeredAt = elapsed();
  }

  get state(): LedgerState | undefined {
    return this.#state;
  }

  get reports(): readonly LivingGateway[] {
    return this.#reports;
  }

  /**
   * Asks again, and reads what was not read yet of all the budgets there are. Throws LedgerUnreachable; what was known
   * before stays known.
   */
  async look(budgets: readonly CompiledBudget[]): Promise<LedgerState> {
    const begun = this.#elapsed();
    const reports = await this.#ledger.gateways();
    const isSame = budgets === this.#budgets;
    const read = isSame ? [] : await this.#readingsOf(budgets.filter((budget) => this.#isNew(budget)));
    const state = await this.#conclude(begun, read);
    if (!isSame) this.#keep(budgets);
    this.#reports = reports;
    return state;
  }

  /** Reads some of the budgets again. Throws as `look`. */
  async read(budgets: readonly CompiledBudget[]): Promise<LedgerState> {
    const begun = this.#elapsed();
    return this.#conclude(begun, await this.#readingsOf(budgets));
  }

  /** Asked last: whatever is wrong with the ledger was wrong when it was read, and nothing is believed without it. */
  async #conclude(begun: number, read: readonly (readonly [Ref, Known])[]): Promise<LedgerState> {
    const state = await this.#ledger.state();
    this.#state = state;
    this.#answeredAt = begun;
    this.#recovering = recoveryOf(state, this.#recovering);
    for (const [ref, known] of read) this.#readings.set(ref, known);
    return state;
  }

  #keep(budgets: readonly CompiledBudget[]): void {
    const kept = new Set(budgets.map(refOf));
    for (const ref of this.#readings.keys()) if (!kept.has(ref)) this.#readings.delete(ref);
    // A ledger that recovered until now was not read.
    if (this.#readings.size === kept.size) this.#budgets = budgets;
  }

  /** This replica begins to lead: what it read when it last did is old. */
  begin(): void {
    this.distrust();
    this.#state = undefined; // its instant says which counters are read
    this.#answeredAt = this.#elapsed();
  }

  /** What was read was not to be believed. */
  distrust(): void {
    this.#readings.clear();
    this.#budgets = [];
  }

  async #readingsOf(budgets: readonly CompiledBudget[]): Promise<readonly (readonly [Ref, Known])[]> {
    const state = this.#state !== undefined && isWell(this.#state) ? this.#state : await this.#ledger.state();
    if (!isWell(state)) return []; // what it says now is not believed
    const { now } = state;
    const known: (readonly [Ref, Known])[] = [];
    for (let i = 0; i < budgets.length; i += PORTION) {
      const portion = budgets.slice(i, i + PORTION);
      const queries = portion.map((budget) => budgetFiguresQuery(budget, now, { periods: this.#periods.at }));
      const readings = await this.#ledger.read(queries);
      for (const [n, budget] of portion.entries()) {
        const read = { counter: queries[n]!.counter, reading: readings[n]!, now };
        known.push([refOf(budget), this.#unchanged(budget, read) ?? read]);
      }
    }
    return known;
  }

  #isNew(budget: CompiledBudget): boolean {
    const known = this.#readings.get(refOf(budget));
    return known?.counter !== budgetFiguresQuery(budget, known?.now ?? 0, { periods: this.#periods.at }).counter;
  }

  /** What was known before, where it says the same. A grant begins and ends without a change of the counter. */
  #unchanged(budget: CompiledBudget, read: Known): Known | undefined {
    const before = this.#readings.get(refOf(budget));
    if (before?.counter !== read.counter || budget.grants.length > 0) return undefined;
    return deepEqual(before.reading, read.reading) ? before : undefined;
  }

  /** What is known of a budget, the same object while it is the same; undefined where the ledger may yet answer. */
  observed(budget: Ref, soundness: LedgerSoundness): Observed | undefined {
    if (soundness === 'Lost') return LOST_LEDGER;
    if (this.#elapsed() - this.#answeredAt > SILENCE_MS) return SILENT_LEDGER;
    if (soundness === 'Recovering') return this.#recovering;
    return soundness === 'Sound' ? this.#readings.get(budget) : undefined;
  }
}

function isWell({ lost, recovering }: LedgerState): boolean {
  return lost === null && recovering === null;
}

/** What a recovery of some length means for the figures; `before` where it says the same. */
function recoveryOf({ now, recovering }: LedgerState, before: Observed | undefined): Observed | undefined {
  if (recovering === null || now - recovering.since <= SILENCE_MS) return undefined;
  const why = recovering.deep === null ? '' : ` (${recovering.deep})`;
  const problem = `The ledger is recovering after Redis lost data or was restarted${why}. Calls wait; the figures are the last known ones.`;
  return before !== undefined && 'problem' in before && before.problem === problem
    ? before
    : { reason: 'LedgerRecovering', problem };
}
