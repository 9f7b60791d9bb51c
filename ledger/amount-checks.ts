import type { Settlement } from './settlement.ts';

/** The largest amount that a counter holds: Redis counts in 64 bits. About nine billion dollars, in nano-dollars. */
export const MAX_NANO = 2n ** 63n - 1n;

/** @throws RangeError unless a call can cost this amount. Nano-dollars. */
export function checkAmount(nano: bigint): void {
  if (nano < 0n || nano > MAX_NANO) {
    throw new RangeError(`${nano} nano-dollars is not an amount of money from 0 to ${MAX_NANO}`);
  }
}

/** @throws RangeError unless a call can cost each amount of the settlement, and their sum. */
export function checkSettlement({ costNano, presumedNano }: Pick<Settlement, 'costNano' | 'presumedNano'>): void {
  for (const amount of [costNano, presumedNano, costNano + presumedNano]) checkAmount(amount);
}

/** The error of a counter that an amount would overflow; nothing was written. */
export function overflow(): RangeError {
  return new RangeError(`a counter cannot hold more than ${MAX_NANO} nano-dollars`);
}
