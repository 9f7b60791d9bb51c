import type { CompiledBudget } from '../../policy/core/compiled-policy.ts';

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
    limitNano: 25_000_000_000n,
    toleranceNano: 0n,
    overrides: [],
    grants: [],
    criticalExtraNano: 0n,
    ...changes,
  };
}
