import type { CompiledBudget } from '../../policy/core/compiled-policy.ts';
import { nano } from '../../policy/core/money.ts';

/** `payments/checkout-daily`, $25 a day in New York, as it is compiled; with what a test changes of it. */
export function budgetOf(changes: Partial<CompiledBudget> = {}): CompiledBudget {
  return {
    namespace: 'payments',
    name: 'checkout-daily',
    generation: 1,
    mode: 'Enforce',
    suspend: false,
    scope: {},
    per: [],
    period: { every: 'Day', timeZone: 'America/New_York' },
    limitNano: nano(25_000_000_000n),
    toleranceNano: nano(0n),
    overrides: [],
    grants: [],
    criticalExtraNano: nano(0n),
    ...changes,
  };
}
