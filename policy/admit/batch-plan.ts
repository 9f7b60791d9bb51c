import type { Settings } from '../config/settings.ts';
import type { Attributes } from '../core/compiled-policy.ts';
import { add, max, MAX_CALL_NANO, type Nano, subtract, ZERO } from '../core/money.ts';
import type { UnknownInBatch } from '../cost/batch-meta.ts';
import { worstCost } from '../cost/worst-cost.ts';
import { batchMixed, batchTooExpensive, batchExceedsGuards } from '../refusals/refusal-sentences.ts';
import type { Refusal } from '../refusals/refusals.ts';
import type { RequestFacts } from '../request/request.ts';
import { BatchUnknownNames } from './batch-unknown-names.ts';
import type { Caller } from './caller.ts';
import { type CallPlan, plan } from './plan.ts';

/** The upstream ends a batch within this time. Milliseconds. */
const BATCH_MS = 24 * 60 * 60 * 1000;

/**
 * Plans the requests of one batch, each by the rules of a single call, for one reservation of the sum of their worst
 * costs. The same budgets must apply to all of them, because the cost of the batch is booked in each of these budgets.
 */
export class BatchPlan {
  readonly #caller: Caller;
  readonly #claimed: Attributes;
  readonly #now: number;
  readonly #settings: Pick<Settings, 'requireBudget'>;
  #first: CallPlan | null = null;
  #counters = '';
  #sumNano = ZERO;
  #highestNano = ZERO;
  readonly #unknown = new BatchUnknownNames();
  #from = 0;
  #until = Infinity;

  /** `now` in milliseconds. */
  constructor(caller: Caller, claimed: Attributes, now: number, settings: Pick<Settings, 'requireBudget'>) {
    this.#caller = caller;
    this.#claimed = claimed;
    this.#now = now;
    this.#settings = settings;
  }

  /** Adds a request; a refusal ends the plan. */
  add(facts: RequestFacts): Refusal | null {
    const planned = plan({ caller: this.#caller, facts, claimed: this.#claimed }, this.#now, this.#settings);
    if (!planned.ok) return planned.error;
    const { edits, checks, from, until } = planned.value;
    if (edits.length > 0) return { reason: 'BatchExceedsGuards', message: batchExceedsGuards() };
    const counters = checks.map(({ counter }) => counter).join('\n');
    if (this.#first === null) {
      this.#first = planned.value;
      this.#counters = counters;
    }
    if (counters !== this.#counters) return { reason: 'BatchMixed', message: batchMixed(facts.model) };
    const worstNano = this.#worst(planned.value);
    this.#sumNano = add(this.#sumNano, worstNano);
    this.#highestNano = max(this.#highestNano, worstNano);
    this.#unknown.add(planned.value.facts, worstNano);
    if (this.#sumNano > MAX_CALL_NANO) return { reason: 'RequestTooExpensive', message: batchTooExpensive() };
    this.#from = Math.max(this.#from, from);
    this.#until = Math.min(this.#until, until);
    return null;
  }

  /** The worst cost of the most expensive request. Nano-dollars. */
  get highestNano(): Nano {
    return this.#highestNano;
  }

  get unknown(): readonly UnknownInBatch[] {
    return this.#unknown.all;
  }

  /** The plan of the whole batch, as one call; at least one request must have been added. */
  get planned(): CallPlan {
    const { facts, worstNano, checks } = this.#first!;
    const moreNano = subtract(this.#sumNano, worstNano);
    const lowered = <T extends { readonly roomNano: Nano }>(bound: T): T => ({
      ...bound,
      roomNano: subtract(bound.roomNano, moreNano),
    });
    return {
      facts,
      edits: [],
      worstNano: this.#sumNano,
      reservedNano: this.#sumNano,
      from: this.#from,
      until: this.#until,
      checks: checks.map((check) => ({
        ...check,
        bound: lowered(check.bound),
        total: check.total === null ? null : lowered(check.total),
      })),
    };
  }

  /** The upstream may answer a request hours later, when a price increase that the book lists already is in force. */
  #worst({ facts, worstNano, until }: CallPlan): Nano {
    const later = this.#now + BATCH_MS;
    if (later < until) return worstNano;
    return max(worstNano, worstCost(facts, this.#caller.workspace.prices, later));
  }
}
