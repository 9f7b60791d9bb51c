import type { Nano } from '../core/money.ts';
import type { PriceBook } from '../prices/price-book.ts';
import type { RequestFacts } from '../request/request.ts';
import { worstCost } from './worst-cost.ts';

/**
 * The largest `max_tokens`, at most the request's own, with which its worst cost at an instant (milliseconds) is at most
 * `mostNano`; the thinking budget is lowered with it. Null if the rest of the request alone costs more.
 */
export function largestMaxTokens(facts: RequestFacts, book: PriceBook, at: number, mostNano: Nano): number | null {
  const fits = (maxTokens: number): boolean => {
    const thinkingBudget = facts.thinkingBudget === null ? null : Math.min(facts.thinkingBudget, maxTokens);
    return worstCost({ ...facts, maxTokens, thinkingBudget }, book, at) <= mostNano;
  };
  let [fitting, tooMany] = [0, facts.maxTokens + 1];
  while (tooMany - fitting > 1) {
    const middle = Math.floor((fitting + tooMany) / 2);
    if (fits(middle)) fitting = middle;
    else tooMany = middle;
  }
  return fitting > 0 ? fitting : null;
}
