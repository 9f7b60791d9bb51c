import { type Nano, nano, ZERO } from '../core/money.ts';

/** The mean cost of recent calls, an estimate for the next one; no call is refused by it alone. */
export interface MovingAverage {
  readonly meanNano: Nano;
  /** The number of calls so far. */
  readonly calls: number;
}

/** A new call weighs one part of this many. */
const LAST = 20;

/** The average after another call of this cost. Nano-dollars. */
export function updateAverage(before: MovingAverage | undefined, costNano: Nano): MovingAverage {
  const { meanNano, calls } = before ?? { meanNano: ZERO, calls: 0 };
  const weight = BigInt(Math.min(calls + 1, LAST));
  return { meanNano: nano(meanNano + (costNano - meanNano) / weight), calls: calls + 1 };
}
