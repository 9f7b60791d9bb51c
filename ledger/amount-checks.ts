import type { Settlement } from './ledger.ts';

/** The largest amount that a counter holds: Redis counts in 64 bits. About nine billion dollars, in nano-dollars. */
export const MAX_NANO = 2n ** 63n - 1n;

/** Throws `RangeError` unless the amount is one that a call can cost. Nano-dollars. */
export function checkAmount(nano: bigint): void {
  if (nano < 0n || nano > MAX_NANO) throw new RangeError(`${nano} nano-dollars is not an amount`);
}

/** Throws `RangeError` unless each amount of the settlement, and their sum, is one. */
export function checkSettlement({ costNano, presumedNano }: Pick<Settlement, 'costNano' | 'presumedNano'>): void {
  for (const amount of [costNano, presumedNano, costNano + presumedNano]) checkAmount(amount);
}

/** What a counter throws rather than wrap around; nothing was written. */
export function overflow(): RangeError {
  return new RangeError('a counter cannot hold this amount');
}
