import { describe, expect, test } from '@jest/globals';
import { type Nano, nano } from '../../../../policy/core/money.ts';
import { cacheSavings } from '../../../../policy/prices/cache-savings.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import { rateAt } from '../../../../policy/prices/price-book.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { cost } from '../../../../policy/prices/usage-cost.ts';
import { readUsage, type Usage } from '../../../../policy/prices/usage.ts';

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-23T12:00:00Z');
const OPUS = 'claude-opus-5-5';
const usd = (usage: Usage, model = OPUS, at = NOW): bigint => cost(usage, model, book, at);

describe('cacheEffect', () => {
  const plain = { input_tokens: 1_000, output_tokens: 200, cache_read_input_tokens: 50_000 };
  const written = { cache_creation: { ephemeral_5m_input_tokens: 400, ephemeral_1h_input_tokens: 80 } };

  test('saves what reads would have cost more as input, and adds what writes cost more than input', () => {
    const { standard } = rateAt(book, OPUS, NOW)!;
    const price = (one: Usage): Nano => nano(usd(one));
    expect(cacheSavings(readUsage(plain), price)).toEqual({
      savedNano: (50_000n * (standard.input - standard.cacheRead)) / 1_000_000n,
      surchargeNano: 0n,
    });
    const writes = readUsage({ ...plain, ...written, cache_creation_input_tokens: 480 });
    const dearer = 400n * (standard.cacheWrite5m - standard.input) + 80n * (standard.cacheWrite1h - standard.input);
    expect(cacheSavings(writes, price).surchargeNano).toBe(dearer / 1_000_000n);
    const listed = readUsage({ ...plain, iterations: [{ type: 'message', ...plain }] });
    expect(cacheSavings(listed, price)).toEqual(cacheSavings(readUsage(plain), price));
  });
});
