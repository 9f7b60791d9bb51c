import type { LedgerState, LivingGateway, LostReason, OperatorLedger } from '../ledger/ledger.ts';
import type { CompiledBudget, Ref } from '../policy/compiled.ts';
import type { Reading } from '../policy/counter.ts';
import { standingQuery } from '../policy/standing.ts';
import { refOf } from '../policy/terms.ts';
import type { Observed } from './status.ts';

/** A ledger that was silent for less is not reported: a fail-over of Redis is nobody's news. Milliseconds. */
const SILENCE_MS = 3_000;
/** How old readings may become while nothing was compiled. Milliseconds. */
const STALE_MS = 900;

const LOST: Readonly<Record<LostReason, string>> = {
  empty: 'The ledger came back empty',
  otherEpoch: 'The ledger is not the one that it was',
};

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
    const [state, reports] = await Promise.all([this.#ledger.state(), this.#ledger.gateways()]);
    if (budgets !== this.#budgets || now - this.#readAt >= STALE_MS) {
      const queries = budgets.map((budget) => standingQuery(budget, state.now));
      const readings = await this.#ledger.read(queries);
      const entries = budgets.map((budget, i) => [refOf(budget), { reading: readings[i]!, now: state.now }] as const);
      this.#readings = new Map(entries);
      this.#budgets = budgets;
      this.#readAt = now;
    }
    this.#state = state;
    this.#reports = reports;
    this.#answeredAt = now;
    return state;
  }

  /** What is known of a budget; undefined where the ledger may yet answer. */
  observed(budget: Ref, lost: LostReason | null, now: number): Observed | undefined {
    if (lost !== null) {
      const confirm = 'annotate ConfigMap tollgate-ledger with tollgate.dev/confirm-ledger';
      return { problem: `${LOST[lost]}, so calls are refused until a person confirms it: ${confirm}.` };
    }
    if (now - this.#answeredAt > SILENCE_MS) {
      return { problem: 'The ledger does not answer; the figures are the last ones known.' };
    }
    return this.#readings.get(budget);
  }
}
