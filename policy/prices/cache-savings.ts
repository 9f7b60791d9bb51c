import { max, type Nano, subtract, ZERO } from '../core/money.ts';
import type { Tokens, Usage } from './usage.ts';

/** The effect of the prompt cache on the cost of a call. Nano-dollars, never negative. */
export interface CacheSavings {
  /** How much more the tokens read from the cache would have cost as input. */
  readonly savedNano: Nano;
  /** How much more the tokens written to the cache cost than as input. */
  readonly surchargeNano: Nano;
}

/** Compares the cost of a usage with its cost without cache reads, and without cache writes. `price` returns nano-dollars. */
export function cacheSavings(usage: Usage, price: (usage: Usage) => Nano): CacheSavings {
  const costNano = price(usage);
  return {
    savedNano: max(ZERO, subtract(price(changed(usage, readsAsInput)), costNano)),
    surchargeNano: max(ZERO, subtract(costNano, price(changed(usage, writesAsInput)))),
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
