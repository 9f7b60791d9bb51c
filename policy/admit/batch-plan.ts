/** What the ledger must check for all requests of a batch together. */

import type { Settings } from '../config/settings.ts';
import type { Attributes } from '../core/compiled-policy.ts';
import { MOST_NANO } from '../core/money.ts';
import { batchMixed, batchTooExpensive, batchExceedsGuards } from '../core/refusal-sentences.ts';
import type { Refusal } from '../core/refusals.ts';
import { worstCost } from '../cost/worst-cost.ts';
import type { RequestFacts } from '../request/request.ts';
import type { Caller } from './caller.ts';
import { type PlannedCall, plan } from './plan.ts';

/** A batch is done within so long. Milliseconds. */
const BATCH_MS = 24 * 60 * 60 * 1000;

/**
 * Plans the requests of one batch, each by the rules of a single call, for one reservation of the sum of their worst
 * cases. All of them must be governed by the same budgets: what a batch costs is booked in all of them.
 */
export class BatchPlan {
  readonly #caller: Caller;
  readonly #claimed: Attributes;
  readonly #now: number;
  readonly #settings: Pick<Settings, 'requireBudget'>;
  #first: PlannedCall | null = null;
  #governing = '';
  #sumNano = 0n;
  #dearestNano = 0n;
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
    if (planned.kind === 'Refuse') return planned.refusal;
    if (planned.edits.length > 0) return { reason: 'BatchExceedsGuards', message: batchExceedsGuards() };
    const governing = planned.checks.map(({ counter }) => counter).join('\n');
    this.#first ??= planned;
    if (this.#first === planned) this.#governing = governing;
    if (governing !== this.#governing) return { reason: 'BatchMixed', message: batchMixed(facts.model) };
    const worstNano = this.#worst(facts, planned);
    this.#sumNano += worstNano;
    if (worstNano > this.#dearestNano) this.#dearestNano = worstNano;
    if (this.#sumNano > MOST_NANO) return { reason: 'RequestTooExpensive', message: batchTooExpensive() };
    this.#from = Math.max(this.#from, planned.from);
    this.#until = Math.min(this.#until, planned.until);
    return null;
  }

  /** The worst case of the dearest request. Nano-dollars. */
  get dearestNano(): bigint {
    return this.#dearestNano;
  }

  /** The admission of the whole; at least one request was added. */
  get admission(): PlannedCall {
    const { facts, worstNano, checks } = this.#first!;
    const more = this.#sumNano - worstNano;
    const lowered = <T extends { readonly roomNano: bigint }>(bound: T): T => ({
      ...bound,
      roomNano: bound.roomNano - more,
    });
    return {
      kind: 'Forward',
      facts,
      edits: [],
      worstNano: this.#sumNano,
      gapNano: 0n,
      from: this.#from,
      until: this.#until,
      checks: checks.map((check) => ({
        ...check,
        bound: lowered(check.bound),
        total: check.total === null ? null : lowered(check.total),
      })),
    };
  }

  /** A request may be worked on hours later, when a price that is known already has risen. */
  #worst(facts: RequestFacts, { worstNano, until }: PlannedCall): bigint {
    const later = this.#now + BATCH_MS;
    if (later < until) return worstNano;
    const then = worstCost(facts, this.#caller.workspace.prices, later);
    return then > worstNano ? then : worstNano;
  }
}
