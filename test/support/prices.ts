import { parseUsd } from '../../policy/core/money.ts';
import { parsePriceBook } from '../../policy/prices/price-book-file.ts';
import type { Prices } from '../../policy/prices/price-book.ts';

/** input / 5m write / 1h write / read / output, in USD for a million tokens. */
export function prices(text: string): Prices {
  const [input, cacheWrite5m, cacheWrite1h, cacheRead, output] = text.split('/').map(parseUsd);
  return {
    input: input!,
    cacheWrite5m: cacheWrite5m!,
    cacheWrite1h: cacheWrite1h!,
    cacheRead: cacheRead!,
    output: output!,
  };
}

/** A book with one model, at these output prices from these instants on. */
export function bookOf(outputs: Readonly<Record<string, string>>) {
  const rates = Object.entries(outputs).map(([from, output]) => ({
    from,
    input: '1',
    cacheWrite5m: '1',
    cacheWrite1h: '1',
    cacheRead: '1',
    output,
  }));
  const model = { id: 'claude-haiku-5-5', contextWindow: 200_000, maxOutputTokens: 64_000, geo: '1.1', rates };
  return parsePriceBook({ version: '1', tools: { webSearch: '0.01' }, models: [model] });
}
