import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { BatchPlan } from '../../policy/admit/batch-plan.ts';
import type { Caller } from '../../policy/admit/caller.ts';
import { type Plan, planBatches } from '../../policy/admit/plan.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { Attributes } from '../../policy/core/compiled-policy.ts';
import type { Nano } from '../../policy/core/money.ts';
import { err, ok } from '../../policy/core/result.ts';
import { batchMetaOf } from '../../policy/cost/batch-meta.ts';
import { BatchReader } from '../../policy/request/batch-reader.ts';
import type { RequestFacts } from '../../policy/request/request.ts';

/** So many requests are planned before other calls get a turn. */
const TURN = 1_000;

/** The requests of a batch, planned as they are read, and again after a change of policy, period or price. */
export class PlannedRequests {
  readonly reader: BatchReader;
  readonly #facts: RequestFacts[] = [];
  readonly #caller: Caller;
  readonly #claimed: Attributes;
  readonly #settings: Settings;
  #plan: BatchPlan;

  constructor(caller: Caller, claimed: Attributes, now: number, settings: Settings) {
    this.#caller = caller;
    this.#claimed = claimed;
    this.#settings = settings;
    this.#plan = new BatchPlan(caller, claimed, now, settings);
    this.reader = new BatchReader((facts) => {
      this.#facts.push(facts);
      return this.#plan.add(facts);
    });
  }

  get first(): RequestFacts {
    return this.#facts[0]!;
  }

  get highestNano(): Nano {
    return this.#plan.highestNano;
  }

  get summary(): ReturnType<typeof batchMetaOf> {
    return batchMetaOf(this.#facts);
  }

  async plan(caller: Caller, at: number): Promise<Plan> {
    const { from, until } = this.#plan.planned;
    if (caller === this.#caller && from <= at && at < until) return ok(this.#plan.planned);
    const refusal = planBatches(caller, true);
    if (refusal !== null) return err(refusal);
    const plan = new BatchPlan(caller, this.#claimed, at, this.#settings);
    for (const [index, facts] of this.#facts.entries()) {
      if (index % TURN === TURN - 1) await yieldToOthers();
      const problem = plan.add(facts);
      if (problem === null) continue;
      return err({ ...problem, message: `requests[${index}]: ${problem.message}` });
    }
    this.#plan = plan;
    return ok(plan.planned);
  }
}
