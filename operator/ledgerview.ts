import type { LedgerState, LivingGateway, OperatorLedger } from '../ledger/ledger.ts';
import type { CompiledBudget, Ref } from '../policy/compiled.ts';
import type { Reading } from '../policy/counter.ts';
import { standingQuery } from '../policy/standing.ts';
import { refOf } from '../policy/terms.ts';
import type { Soundness } from './epoch.ts';
import type { Observed } from './status.ts';

/** A ledger that was silent or recovering for less is not reported: a fail-over is nobody's news. Milliseconds. */
const SILENCE_MS = 3_000;
/** How old readings may become while nothing was compiled. Milliseconds. */
const STALE_MS = 900;
/** Reading takes no more than this part of the time: of thousands of budgets it takes a while. */
const READING_SHARE = 0.2;

const LOST =
  'The ledger is not the one that it was, so calls are refused until a person confirms it: annotate ConfigMap tollgate-ledger with tollgate.dev/confirm-ledger.';

/** What the ledger said last. */
export class LedgerView {
  readonly #ledger: Pick<OperatorLedger, 'read' | 'gateways' | 'state'>;
  #state: LedgerState | undefined;
  #reports: readonly LivingGateway[] = [];
  #readings = new Map<Ref, { readonly reading: Reading; readonly now: number }>();
  #budgets: readonly CompiledBudget[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #answeredAt: number;

  /** `now` by the process's clock, in milliseconds. */
  constructor(ledger: Pick<OperatorLedger, 'read' | 'gateways' | 'state'>, now: number) {
    this.#ledger = ledger;
    this.#answeredAt = now;
  }

  get state(): LedgerState | undefined {
    return this.#state;
  }

  get reports(): readonly LivingGateway[] {
    return this.#reports;
  }

  /** Asks again. Throws LedgerUnreachable; what was known before stays known. */
  async look(budgets: readonly CompiledBudget[], now: number): Promise<LedgerState> {
    const reports = await this.#ledger.gateways();
    const isDue = budgets !== this.#budgets || now - this.#readAt >= STALE_MS;
    if (isDue) await this.#read(budgets, now);
    // Asked last: whatever is wrong with the ledger was wrong when it was read.
    const state = await this.#ledger.state();
    this.#state = state;
    this.#reports = reports;
    this.#answeredAt = now;
    return state;
  }

  /** What was read was not to be believed. */
  distrust(): void {
    this.#readings.clear();
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  async #read(budgets: readonly CompiledBudget[], now: number): Promise<void> {
    const { now: at } = this.#state ?? (await this.#ledger.state());
    const queries = budgets.map((budget) => standingQuery(budget, at));
    const readings = await this.#ledger.read(queries);
    const entries = budgets.map((budget, i) => [refOf(budget), { reading: readings[i]!, now: at }] as const);
    this.#readings = new Map(entries);
    this.#budgets = budgets;
    this.#readAt = now;
  }

  /** What is known of a budget; undefined where the ledger may yet answer. */
  observed(budget: Ref, soundness: Soundness, now: number): Observed | undefined {
    if (soundness === 'Lost') return { reason: 'LedgerUnreachable', problem: LOST };
    if (now - this.#answeredAt > SILENCE_MS) {
      const problem = 'The ledger does not answer; the figures are the last ones known.';
      return { reason: 'LedgerUnreachable', problem };
    }
    if (soundness === 'Recovering') return this.#recovering();
    return soundness === 'Sound' ? this.#readings.get(budget) : undefined;
  }

  #recovering(): Observed | undefined {
    const { now = 0, recovering } = this.#state ?? {};
    if (recovering === null || recovering === undefined || now - recovering.since <= SILENCE_MS) return undefined;
    const why = recovering.deep === null ? '' : ` (${recovering.deep})`;
    const problem = `The ledger is being brought back to what was spent${why}; until then calls wait, and the figures are the last ones known.`;
    return { reason: 'LedgerRecovering', problem };
  }
}
