/** What calls cost lately: nothing is reserved or refused by it alone, it only says what the next one will be like. */
export interface MovingAverage {
  readonly meanNano: bigint;
  /** How many calls it is of. */
  readonly calls: number;
}

/** A new call weighs as one of so many. */
const LAST = 20;

/** The expectation once another call has cost so much. Nano-dollars. */
export function updateAverage(before: MovingAverage | undefined, costNano: bigint): MovingAverage {
  const { meanNano, calls } = before ?? { meanNano: 0n, calls: 0 };
  const weight = BigInt(Math.min(calls + 1, LAST));
  return { meanNano: meanNano + (costNano - meanNano) / weight, calls: calls + 1 };
}
