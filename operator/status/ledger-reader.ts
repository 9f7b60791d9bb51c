import type { LedgerState } from '../../ledger/ledger.ts';
import type { LivingGateway, OperatorLedger } from '../../ledger/operator-ledger.ts';
import { budgetPeriodAt } from '../../policy/core/budget-period.ts';
import { type CompiledBudget, type Ref, refOf } from '../../policy/core/compiled-policy.ts';
import type { Reason } from '../../policy/core/conditions.ts';
import type { Reading } from '../../policy/core/counter-reading.ts';
import { deepEqual } from '../../policy/core/deep-equal.ts';
import { PeriodCache, type PeriodLookup } from '../../policy/core/period.ts';
import { budgetFiguresQuery } from '../../policy/status/budget-figures.ts';
import type { LedgerHealth } from '../ledger/ledger-guard.ts';

/** What the ledger says about a budget, at `now` by its clock (milliseconds), or why it says nothing. */
export type LedgerFigures =
  | { readonly kind: 'Read'; readonly reading: Reading; readonly now: number }
  | { readonly kind: 'Missing'; readonly reason: Reason<'Exhausted'>; readonly message: string };

type ReadFigures = Extract<LedgerFigures, { kind: 'Read' }> & { readonly counter: string };

/** A ledger that is silent or recovering for less than this is not reported, so that a fail-over raises no alarm. Milliseconds. */
const SILENCE_MS = 3_000;
/** Budgets per read. Most answers equal the known ones and become garbage at once, so they are not all held together. */
const BATCH = 500;

const unreachable = (message: string): LedgerFigures => ({ kind: 'Missing', reason: 'LedgerUnreachable', message });
const LOST_LEDGER = unreachable(
  'Redis holds another ledger, which admits no call until it is confirmed: annotate ConfigMap tollgate-ledger with tollgate.dev/confirm-ledger.',
);
const SILENT_LEDGER = unreachable('Redis does not answer; the figures are the last known ones.');

/** Reads the figures of budgets from the ledger and keeps the last ones. */
export class LedgerReader {
  readonly #ledger: Pick<OperatorLedger, 'read' | 'gateways' | 'state'>;
  readonly #elapsed: () => number;
  readonly #periods: PeriodLookup;
  #state: LedgerState | undefined;
  #gateways: readonly LivingGateway[] = [];
  readonly #figures = new Map<Ref, ReadFigures>();
  /** The list of budgets that has been read completely. */
  #complete: readonly CompiledBudget[] = [];
  #answeredAt: number;
  #recovering: LedgerFigures | undefined;

  /** `elapsed`: a monotonic clock, in milliseconds. */
  constructor(
    ledger: Pick<OperatorLedger, 'read' | 'gateways' | 'state'>,
    elapsed: () => number,
    periods: PeriodLookup = new PeriodCache().at,
  ) {
    this.#ledger = ledger;
    this.#elapsed = elapsed;
    this.#periods = periods;
    this.#answeredAt = elapsed();
  }

  /** The state of the ledger as last read; undefined before. */
  get state(): LedgerState | undefined {
    return this.#state;
  }

  /** The gateways that send heartbeats, as last read. */
  get gateways(): readonly LivingGateway[] {
    return this.#gateways;
  }

  /**
   * Reads the ledger's state and its gateways, and those of the budgets in force that have no figures yet. The same
   * array means that nothing was compiled in between. Throws LedgerUnreachable and then keeps the last figures.
   */
  async refresh(budgets: readonly CompiledBudget[]): Promise<LedgerState> {
    const startedAt = this.#elapsed();
    const gateways = await this.#ledger.gateways();
    const isComplete = budgets === this.#complete;
    const read = isComplete ? [] : await this.#query(budgets.filter((budget) => this.#isUnread(budget)));
    const state = await this.#take(startedAt, read);
    if (!isComplete) this.#dropOthers(budgets);
    this.#gateways = gateways;
    return state;
  }

  /** Reads some budgets again. Throws as `refresh`. */
  async read(budgets: readonly CompiledBudget[]): Promise<LedgerState> {
    const startedAt = this.#elapsed();
    return this.#take(startedAt, await this.#query(budgets));
  }

  /** The figures of a budget, the same object while they are the same; undefined while the ledger may still answer. */
  figures(budget: Ref, health: LedgerHealth): LedgerFigures | undefined {
    if (health === 'Lost') return LOST_LEDGER;
    if (this.#elapsed() - this.#answeredAt > SILENCE_MS) return SILENT_LEDGER;
    if (health === 'Recovering') return this.#recovering;
    return health === 'Healthy' ? this.#figures.get(budget) : undefined;
  }

  /** Forgets everything: a replica that begins to lead again must not publish what it read when it last led. */
  reset(): void {
    this.discard();
    this.#state = undefined; // its instant selects the periods whose counters are read
    this.#answeredAt = this.#elapsed();
  }

  /** Forgets all figures, because the ledger that gave them is not healthy. */
  discard(): void {
    this.#figures.clear();
    this.#complete = [];
  }

  /** Asks for the state last: a fault of the ledger that it reports already existed during the read, so nothing is kept before. */
  async #take(startedAt: number, read: readonly (readonly [Ref, ReadFigures])[]): Promise<LedgerState> {
    const state = await this.#ledger.state();
    this.#state = state;
    this.#answeredAt = startedAt;
    this.#recovering = recoveringFigures(state, this.#recovering);
    for (const [ref, figures] of read) this.#figures.set(ref, figures);
    return state;
  }

  #dropOthers(budgets: readonly CompiledBudget[]): void {
    const kept = new Set(budgets.map(refOf));
    for (const ref of this.#figures.keys()) if (!kept.has(ref)) this.#figures.delete(ref);
    // Smaller after a recovery that ended during this refresh: its budgets were not read.
    if (this.#figures.size === kept.size) this.#complete = budgets;
  }

  async #query(budgets: readonly CompiledBudget[]): Promise<readonly (readonly [Ref, ReadFigures])[]> {
    const state = this.#state !== undefined && isWhole(this.#state) ? this.#state : await this.#ledger.state();
    if (!isWhole(state)) return []; // its counters may be too low
    const { now } = state;
    const read: (readonly [Ref, ReadFigures])[] = [];
    for (let i = 0; i < budgets.length; i += BATCH) {
      const batch = budgets.slice(i, i + BATCH);
      const queries = batch.map((budget) => budgetFiguresQuery(budget, now, { periods: this.#periods }));
      const readings = await this.#ledger.read(queries);
      for (const [n, budget] of batch.entries()) {
        const figures = { kind: 'Read', counter: queries[n]!.counter, reading: readings[n]!, now } as const;
        read.push([refOf(budget), this.#unchanged(budget, figures) ?? figures]);
      }
    }
    return read;
  }

  #isUnread(budget: CompiledBudget): boolean {
    const known = this.#figures.get(refOf(budget));
    return known?.counter !== budgetFiguresQuery(budget, known?.now ?? 0, { periods: this.#periods }).counter;
  }

  /** The known figures where they equal the new ones and no grant has begun or ended since, and no observing ended. */
  #unchanged(budget: CompiledBudget, figures: ReadFigures): ReadFigures | undefined {
    const known = this.#figures.get(refOf(budget));
    if (known?.counter !== figures.counter) return undefined;
    if (figures.now >= budgetPeriodAt(budget, known.now, this.#periods).until) return undefined;
    return deepEqual(known.reading, figures.reading) ? known : undefined;
  }
}

function isWhole({ lost, recovering }: LedgerState): boolean {
  return lost === null && recovering === null;
}

/** What all budgets show during a recovery; undefined for a short one, `last` where the text is the same. */
function recoveringFigures(
  { now, recovering }: LedgerState,
  last: LedgerFigures | undefined,
): LedgerFigures | undefined {
  if (recovering === null || now - recovering.since <= SILENCE_MS) return undefined;
  const why = recovering.deep === null ? '' : ` (${recovering.deep})`;
  const message = `The ledger is recovering after Redis lost data or was restarted${why}. Calls wait; the figures are the last known ones.`;
  if (last?.kind === 'Missing' && last.message === message) return last;
  return { kind: 'Missing', reason: 'LedgerRecovering', message };
}
