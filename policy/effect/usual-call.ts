import type { CompiledScope, CompiledWorkspace } from '../core/compiled-policy.ts';
import { limitedModels } from '../core/model-name.ts';
import { ceilDiv, type Nano } from '../core/money.ts';
import type { PriceBook, Rate } from '../prices/price-book.ts';
import { allowsModel, ratesAt } from './models.ts';

/** A small call as the documentation of the API shows it: a page of prompt, and `max_tokens` of 1,024. */
const PROMPT_TOKENS = 1_000n;
const MAX_TOKENS = 1_024;
const MILLION = 1_000_000n;

/** The cheapest model that calls can be of, and what a usual call of it reserves. Nano-dollars. */
export interface UsualCall {
  readonly model: string;
  readonly costNano: Nano;
}

/**
 * The cheapest usual call that some workspace admits and that is in the scope, at an instant (milliseconds); null if there
 * is none in the price book.
 */
export function cheapestUsualCall(
  workspaces: readonly Pick<CompiledWorkspace, 'models' | 'guards'>[],
  scope: Pick<CompiledScope, 'models'>,
  book: PriceBook,
  at: number,
): UsualCall | null {
  const inScope = scope.models === undefined ? () => true : limitedModels(scope.models);
  let cheapest: UsualCall | null = null;
  for (const workspace of workspaces) {
    const allows = allowsModel(workspace);
    for (const rate of ratesAt(book, at)) {
      if (!rate.names.some(inScope) || !allows(rate)) continue;
      const costNano = usualCost(rate, workspace);
      if (cheapest === null || costNano < cheapest.costNano) cheapest = { model: rate.names[0]!, costNano };
    }
  }
  return cheapest;
}

function usualCost({ standard }: Rate, { guards }: Pick<CompiledWorkspace, 'guards'>): Nano {
  const output = BigInt(Math.min(MAX_TOKENS, guards.maxOutputTokens ?? MAX_TOKENS));
  return ceilDiv(standard.input * PROMPT_TOKENS + standard.output * output, MILLION);
}
