/** The mean cost of recent calls, an estimate for the next one; no call is refused by it alone. */
export interface MovingAverage {
  readonly meanNano: bigint;
  /** The number of calls so far. */
  readonly calls: number;
}

/** A new call weighs one part of this many. */
const LAST = 20;

/** The average after another call of this cost. Nano-dollars. */
export function updateAverage(before: MovingAverage | undefined, costNano: bigint): MovingAverage {
  const { meanNano, calls } = before ?? { meanNano: 0n, calls: 0 };
  const weight = BigInt(Math.min(calls + 1, LAST));
  return { meanNano: meanNano + (costNano - meanNano) / weight, calls: calls + 1 };
}
