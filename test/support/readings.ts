/** What the ledger says of a budget's counters, for tests of the status. */

import type { Counter, Reading, ValueCounter } from '../../policy/core/counter-reading.ts';
import { nano } from '../../policy/core/money.ts';

/** Nano-dollars. */
export const counterOf = (spent: bigint, changes: Partial<Counter> = {}): Counter => ({
  spentNano: nano(spent),
  correctedNano: nano(0n),
  certainNano: nano(spent),
  committedNano: nano(spent),
  requests: 0,
  refused: 0,
  wouldRefuse: 0,
  exhaustedAtNano: null,
  tooLargeNano: null,
  ...changes,
});
export const readingOf = (
  total: Counter,
  values: readonly ValueCounter[] = [],
  changes: Partial<Reading> = {},
): Reading => ({
  total,
  values,
  valueCount: values.length,
  exhaustedCount: values.filter(({ exhaustedAtNano }) => exhaustedAtNano !== null).length,
  ...changes,
});
export const valueOf = (name: string, spent: bigint, changes: Partial<Counter> = {}): ValueCounter => ({
  ...counterOf(spent, changes),
  value: JSON.stringify([name]),
});
