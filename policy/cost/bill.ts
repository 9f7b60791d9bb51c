import { add, MAX_CALL_NANO, type Nano } from '../core/money.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { cost, hasUnknownModel } from '../prices/usage-cost.ts';
import type { Usage } from '../prices/usage.ts';
import type { RequestFacts } from '../request/request.ts';

/** The booked cost of an answer. Nano-dollars. */
export interface Bill {
  readonly costNano: Nano;
  /** True if the usage lacks something that the upstream charges for, or no price is known for a model that answered. */
  readonly estimated: boolean;
}

/**
 * The bill of an answer of `model` to a call admitted at `at` (milliseconds), also above the worst case; null if its usage
 * cannot be read, or costs more than a counter holds.
 */
export function billOf(usage: Usage, facts: RequestFacts, model: string, book: PriceBook, at: number): Bill | null {
  if (usage.absurd) return null;
  const container = hadContainer(usage, facts);
  const tokensNano = cost(usage, model, book, at, facts.model);
  const costNano = container ? add(tokensNano, book.containerHourNano) : tokensNano;
  const estimated = container || usage.uncertain || hasUnknownModel(usage, model, book);
  return costNano > MAX_CALL_NANO ? null : { costNano, estimated };
}

/** No answer reports a container's time, so possible code runs are booked with an hour; web tools' are free. */
function hadContainer(usage: Usage, { codeExecution }: RequestFacts): boolean {
  if (codeExecution === 'Free' || usage.declined) return false;
  return codeExecution === 'Charged' || usage.codeExecutions > 0;
}
