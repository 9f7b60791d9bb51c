/** What the prompt cache did to the cost of a call. */

import type { Tokens, Usage } from './usage.ts';

/** Nano-dollars, never negative. */
export interface CacheEffect {
  /** What the tokens that were read would have cost more as input. */
  readonly savedNano: bigint;
  /** What the tokens that were written cost more than as input. */
  readonly surchargeNano: bigint;
}

/** Compares what a usage costs with what it had cost without reads, and without writes. `price` gives nano-dollars. */
export function cacheEffect(usage: Usage, price: (usage: Usage) => bigint): CacheEffect {
  const costNano = price(usage);
  return {
    savedNano: positive(price(changed(usage, readsAsInput)) - costNano),
    surchargeNano: positive(costNano - price(changed(usage, writesAsInput))),
  };
}

function changed(usage: Usage, change: <T extends Tokens>(tokens: T) => T): Usage {
  return { ...change(usage), iterations: usage.iterations.map((part) => change(part)) };
}

function readsAsInput<T extends Tokens>(tokens: T): T {
  return { ...tokens, input: tokens.input + tokens.cacheRead, cacheRead: 0 };
}

function writesAsInput<T extends Tokens>(tokens: T): T {
  const input = tokens.input + tokens.cacheWrite5m + tokens.cacheWrite1h;
  return { ...tokens, input, cacheWrite5m: 0, cacheWrite1h: 0 };
}

function positive(amount: bigint): bigint {
  return amount > 0n ? amount : 0n;
}
