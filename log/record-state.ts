import type { RecordState } from '../policy/core/usage-record.ts';

/** What a call adds to each of its counters. Nano-dollars. */
export interface Contribution {
  readonly spentNano: bigint;
  readonly presumedNano: bigint;
  readonly requests: number;
}

/** A gateway that comes back and releases knows what was booked without knowing (docs/decisions/0008). */
const RANKS: Readonly<Record<RecordState, number>> = { presumed: 0, booked: 1, released: 2, final: 3 };

/** Whether it is one of the states. */
export function isState(value: unknown): value is RecordState {
  return typeof value === 'string' && Object.hasOwn(RANKS, value);
}

/** Whether a record counts that was heard after another about the same call. What is no better changes nothing. */
export function isBetter(next: RecordState, before: RecordState): boolean {
  return RANKS[next] > RANKS[before];
}

/** What a call adds to its counters: money that is presumed is not spent, and only what was settled is a request. */
export function contribution(state: RecordState, amountNano: bigint): Contribution {
  const isPresumed = state === 'presumed';
  return {
    spentNano: isPresumed ? 0n : amountNano,
    presumedNano: isPresumed ? amountNano : 0n,
    requests: state === 'final' ? 1 : 0,
  };
}
