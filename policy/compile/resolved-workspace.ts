import type { CompiledBudget, CompiledWorkspace } from '../core/compiled-policy.ts';
import type { PriceBook } from '../prices/price-book.ts';

/** A workspace with everything its addresses name, ready to be enforced. */
export interface ResolvedWorkspace extends Omit<CompiledWorkspace, 'budgets' | 'spanning' | 'prices' | 'credentials'> {
  /** Its own budgets and the spanning ones. */
  readonly budgets: readonly CompiledBudget[];
  readonly prices: PriceBook;
  /** Null if its Secret was deleted. */
  readonly upstreamKey: string | null;
}
