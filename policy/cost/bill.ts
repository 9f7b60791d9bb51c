import { MOST_NANO } from '../core/money.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { cost, isAbsurd, type Usage } from '../prices/usage.ts';
import type { RequestFacts } from '../request/request.ts';
import { samplingsOf, unboundedPaths } from './worst-cost.ts';

/** What is booked for an answer. Nano-dollars. */
export interface Bill {
  readonly costNano: bigint;
  /** The usage does not say all that the upstream charges by. */
  readonly estimated: boolean;
}

/** What a call was, and by which prices it is billed. */
export interface Billing {
  /** What was sent. */
  readonly facts: RequestFacts;
  /** The model that served. */
  readonly model: string;
  readonly book: PriceBook;
  /** When it was admitted, in milliseconds. */
  readonly at: number;
}

/** The bill of a usage; null where the usage cannot be, so that the worst case is booked. */
export function billOf(usage: Usage, { facts, model, book, at }: Billing): Bill | null {
  const samplings = unboundedPaths(facts).length > 0 ? Infinity : samplingsOf(facts);
  if (isAbsurd(usage, model, book, at, samplings)) return null;
  const container = hadContainer(usage, facts);
  const tokensNano = cost(usage, model, book, at, facts.model);
  const costNano = tokensNano + (container ? book.containerHourNano : 0n);
  return costNano > MOST_NANO ? null : { costNano, estimated: container || usage.repriced };
}

/**
 * Containers are billed by a time that no answer tells, so a call that may have run code is booked at an hour of one.
 * Web tools that run code themselves have theirs for nothing.
 */
function hadContainer(usage: Usage, { codeExecution }: RequestFacts): boolean {
  if (codeExecution === 'Free' || usage.declined) return false;
  return codeExecution === 'Charged' || usage.codeExecutions > 0;
}
