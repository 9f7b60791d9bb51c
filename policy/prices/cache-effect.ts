/** The effect of the prompt cache on the cost of a call. */

import type { Tokens, Usage } from './usage.ts';

/** Nano-dollars, never negative. */
export interface CacheEffect {
  /** How much more the tokens read from the cache would have cost as input. */
  readonly savedNano: bigint;
  /** How much more the tokens written to the cache cost than as input. */
  readonly surchargeNano: bigint;
}

/** Compares the cost of a usage with its cost without cache reads, and without cache writes. `price` returns nano-dollars. */
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
