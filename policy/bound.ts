import type { Rate } from './prices.ts';
import type { RequestFacts } from './request.ts';

/** What a call can cost at most, in nano-dollars, rounded up. */
export function worstCost(facts: RequestFacts, rate: Rate): bigint {
  throw new Error(String([facts, rate]));
}
