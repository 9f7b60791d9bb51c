import { max, type Nano } from '../core/money.ts';
import type { UnknownInBatch } from '../cost/batch-meta.ts';
import { unboundedPaths } from '../cost/worst-cost.ts';
import type { RequestFacts } from '../request/request.ts';

/** Groups of models, and names of each, that are kept; the operator carries them until the batch is settled. */
const MOST_GROUPS = 16;
const MOST_NAMES = 100;

/**
 * The unknown names in the requests of a batch, by the models that may answer them: their bound is that of these models. Of a
 * request that nothing bounds anyway, no name is to blame for what it costs.
 */
export class BatchUnknownNames {
  readonly #groups = new Map<string, { models: readonly string[]; names: Set<string>; boundNano: Nano }>();

  /** `worstNano`: what is reserved for the request. */
  add(facts: RequestFacts, worstNano: Nano): void {
    if (facts.unknown.length === 0 || unboundedPaths(facts).length > 0) return;
    const asked = [facts.model, ...facts.fallbacks.map(({ model }) => model)];
    const own = this.#groups.get(asked.join(' '));
    // Beyond the last group the names are those of any model.
    const models = own !== undefined || this.#groups.size < MOST_GROUPS ? asked : [];
    const group = this.#groups.get(models.join(' ')) ?? { models, names: new Set(), boundNano: worstNano };
    group.boundNano = max(group.boundNano, worstNano);
    for (const { name } of facts.unknown) if (group.names.size < MOST_NAMES) group.names.add(name);
    this.#groups.set(models.join(' '), group);
  }

  get all(): readonly UnknownInBatch[] {
    return [...this.#groups.values()].map((group) => ({ ...group, names: [...group.names] }));
  }
}
