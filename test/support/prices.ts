import { parseUsd } from '../../policy/core/money.ts';
import type { Prices } from '../../policy/prices/price-book.ts';

/** input / 5m write / 1h write / read / output, in USD for a million tokens. */
export function prices(text: string): Prices {
  const [input, cacheWrite5m, cacheWrite1h, cacheRead, output] = text.split('/').map(parseUsd) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  return { input, cacheWrite5m, cacheWrite1h, cacheRead, output };
}
