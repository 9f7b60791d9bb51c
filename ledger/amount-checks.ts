import { add, MAX_NANO, type Nano } from '../policy/core/money.ts';
import type { Settlement } from './reservation.ts';

/** @throws RangeError unless a call can cost this amount. Nano-dollars. */
export function checkAmount(amount: Nano): void {
  if (amount < 0n || amount > MAX_NANO) {
    throw new RangeError(`${amount} nano-dollars is not an amount of money from 0 to ${MAX_NANO}`);
  }
}

/** @throws RangeError unless a call can cost each amount of the settlement, and their sum. */
export function checkSettlement({ costNano, presumedNano }: Pick<Settlement, 'costNano' | 'presumedNano'>): void {
  for (const amount of [costNano, presumedNano, add(costNano, presumedNano)]) checkAmount(amount);
}

/** The error of a counter that an amount would overflow; nothing was written. */
export function overflow(): RangeError {
  return new RangeError(`a counter cannot hold more than ${MAX_NANO} nano-dollars`);
}
