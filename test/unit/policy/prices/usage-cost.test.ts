import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseUsd } from '../../../../policy/core/money.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { billedTokens, cost, isAbsurd } from '../../../../policy/prices/usage-cost.ts';
import { mergeDelta, readUsage, type Usage } from '../../../../policy/prices/usage.ts';
import vectors from '../data/usage.json' with { type: 'json' };

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-23T12:00:00Z');
const OPUS = 'claude-opus-5-5';
const usd = (usage: Usage, model = OPUS, at = NOW): bigint => cost(usage, model, book, at);

test.each(vectors)(
  '$name costs what Anthropic bills, to the nano-dollar, streamed or not',
  ({ model, start, delta, billedUsd }) => {
    const streamed = mergeDelta(readUsage(start), delta);
    expect(usd(streamed, model)).toBe(parseUsd(billedUsd));
    expect(isAbsurd(streamed, model, book, NOW)).toBe(false);
    const nonZero = Object.fromEntries(Object.entries(delta).filter(([, value]) => value !== 0));
    expect(usd(readUsage({ ...start, ...nonZero }), model)).toBe(parseUsd(billedUsd));
  },
);

describe('what is billed', () => {
  const usage = readUsage({ input_tokens: 1000, output_tokens: 1000 });

  test('a prompt of exactly the limit is short, one token more makes all of it long', () => {
    const prompt = (cached: number): Usage =>
      readUsage({ input_tokens: 1, cache_read_input_tokens: cached, output_tokens: 0 });
    expect(usd(prompt(99_999), 'claude-haiku-5-5')).toBe(parseUsd('0.00100009'));
    expect(usd(prompt(100_000), 'claude-haiku-5-5')).toBe(parseUsd('0.0050005'));
  });

  test('the region costs more only on models that have the surcharge', () => {
    const regional = readUsage({ input_tokens: 1_000_000, output_tokens: 0, inference_geo: 'eu' });
    expect(usd(regional)).toBe(parseUsd('4.4'));
    expect(usd(regional, 'claude-haiku-4-5')).toBe(parseUsd('1'));
    expect(usd(readUsage({ input_tokens: 1_000_000, output_tokens: 0, inference_geo: 'not_available' }))).toBe(
      parseUsd('4'),
    );
  });

  test('each iteration at its own model, an attempt that declined at nothing', () => {
    const iterations = [
      { type: 'message', model: 'claude-fable-5-2', input_tokens: 1_000_000, output_tokens: 0 },
      { type: 'advisor_message', model: 'claude-fable-5-2', input_tokens: 1000, output_tokens: 100 },
      { type: 'fallback_message', model: OPUS, input_tokens: 1000, output_tokens: 1000 },
    ];
    expect(usd(mergeDelta(usage, { output_tokens: 1000, iterations }))).toBe(parseUsd('0.012') + parseUsd('0.024'));
  });

  const declining = { type: 'message', model: null, input_tokens: 1_000_000, output_tokens: 0 };
  const compacting = { type: 'compaction', input_tokens: 10_000, output_tokens: 100 };
  const advising = { type: 'advisor_message', model: 'claude-fable-5-2', input_tokens: 1000, output_tokens: 0 };

  test('of a refusal before any content only what came before it', () => {
    const refused = (iterations: object[]): Usage => ({ ...mergeDelta(usage, { iterations }), declined: true });
    expect(usd(refused([]))).toBe(0n);
    expect(usd(refused([declining]))).toBe(0n);
    const attempt = { type: 'message', model: 'claude-fable-5-2', input_tokens: 1000, output_tokens: 100 };
    expect(usd(refused([compacting, attempt, advising, declining]))).toBe(
      parseUsd('0.042') + parseUsd('0.012') + parseUsd('0.008'),
    );
  });

  test('an advisor that said nothing has read all the same', () => {
    expect(
      usd(mergeDelta(usage, { iterations: [{ ...declining, input_tokens: 1000, output_tokens: 1000 }, advising] })),
    ).toBe(parseUsd('0.024') + parseUsd('0.008'));
  });

  test('iterations without a model at the dearer of what was asked for and what served', () => {
    const iterations = [
      compacting,
      { type: 'fallback_message', model: 'claude-haiku-5-5', input_tokens: 1000, output_tokens: 1000 },
    ];
    const merged = mergeDelta(usage, { iterations });
    expect(cost(merged, 'claude-haiku-5-5', book, NOW, OPUS)).toBe(parseUsd('0.042') + parseUsd('0.0006'));
  });

  test('each sampling by its own length: two short prompts are no long one', () => {
    const sampling = { type: 'message', model: null, input_tokens: 60_000, output_tokens: 0 };
    const total = { input_tokens: 120_000, output_tokens: 0 };
    expect(usd(readUsage({ ...total, iterations: [sampling, sampling] }), 'claude-haiku-5-5')).toBe(parseUsd('0.012'));
    expect(usd(readUsage(total), 'claude-haiku-5-5')).toBe(parseUsd('0.06'));
  });

  test('an answer of a batch at half, its searches whole, and never where it claims to be fast as well', () => {
    const batch = { input_tokens: 1000, output_tokens: 1000, service_tier: 'batch' };
    expect(usd(readUsage(batch))).toBe(parseUsd('0.012'));
    expect(usd(readUsage({ ...batch, server_tool_use: { web_search_requests: 2 } }))).toBe(parseUsd('0.032'));
    expect(usd(readUsage({ ...batch, inference_geo: 'us', cache_read_input_tokens: 1_000 }))).toBe(parseUsd('0.01331'));
    expect(usd(readUsage({ ...batch, speed: 'fast' }))).toBe(parseUsd('0.048'));
    expect(usd(readUsage({ input_tokens: 3, output_tokens: 0, service_tier: 'batch' }), 'claude-haiku-4-5')).toBe(
      1500n,
    );
  });

  test('never less than the totals say, whatever the iterations say', () => {
    expect(usd(mergeDelta(usage, { iterations: [{ type: 'message', input_tokens: 1, output_tokens: 1 }] }))).toBe(
      parseUsd('0.024'),
    );
  });

  test('a model that the book does not know costs what the dearest does', () => {
    expect(usd(usage, 'claude-opus-9')).toBe(parseUsd('0.09'));
  });

  test('the price is that of the instant of the call', () => {
    const read = readUsage({ input_tokens: 0, cache_read_input_tokens: 1_000_000, output_tokens: 0 });
    expect(usd(read, 'claude-sonnet-5-5', Date.parse('2026-10-06T23:59:59Z'))).toBe(parseUsd('0.2'));
    expect(usd(read, 'claude-sonnet-5-5', Date.parse('2026-10-07T00:00:00Z'))).toBe(parseUsd('0.1'));
  });

  test('is rounded up once: the smallest call is not free, and two halves of a nano-dollar are one', () => {
    const tiny = parsePriceBook({
      ...published,
      models: [
        {
          id: 'tiny',
          contextWindow: 9,
          maxOutputTokens: 9,
          rates: [{ input: '0.0005', cacheWrite5m: '0', cacheWrite1h: '0', cacheRead: '0', output: '0.0005' }],
        },
      ],
    });
    expect(cost(readUsage({ input_tokens: 1, output_tokens: 0 }), 'tiny', tiny, NOW)).toBe(1n);
    expect(cost(readUsage({ input_tokens: 1, output_tokens: 1 }), 'tiny', tiny, NOW)).toBe(1n);
    expect(cost(readUsage({ input_tokens: 2, output_tokens: 1 }), 'tiny', tiny, NOW)).toBe(2n);
  });
});

describe('absurd usage', () => {
  test.each([
    [undefined],
    [null],
    ['many'],
    [[]],
    [{ input_tokens: -1, output_tokens: 1 }],
    [{ input_tokens: 1.5, output_tokens: 1 }],
    [{ input_tokens: '10', output_tokens: 1 }],
    [{ input_tokens: 1, output_tokens: 1e300 }],
    [{ input_tokens: 1, output_tokens: NaN }],
    [{ input_tokens: 1, output_tokens: 128_001 }],
    [{ input_tokens: 999_999, cache_read_input_tokens: 2, output_tokens: 1 }],
    [{ input_tokens: 1, output_tokens: 1, cache_creation: 'all' }],
    [{ input_tokens: 1, output_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: -5 } }],
    [{ input_tokens: 1, output_tokens: 1, iterations: {} }],
    [{ input_tokens: 1, output_tokens: 1, iterations: [null] }],
    [{ input_tokens: 1, output_tokens: 1, iterations: [{ input_tokens: 2_000_000 }] }],
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { web_search_requests: -1 } }],
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { time_machine_requests: 1 } }],
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { code_execution_requests: -1 } }],
  ])('%j is told, and still has a price', (value) => {
    const usage = readUsage(value);
    expect(isAbsurd(usage, OPUS, book, NOW)).toBe(true);
    expect(usd(usage)).toBeGreaterThanOrEqual(0n);
  });

  test('stays absurd, whatever comes after', () => {
    const usage = [{ output_tokens: -1 }, { output_tokens: 5 }].reduce(
      mergeDelta,
      readUsage({ input_tokens: 1, output_tokens: 1 }),
    );
    expect(isAbsurd(usage, OPUS, book, NOW)).toBe(true);
  });

  test('the most that a model can do is not absurd', () => {
    expect(isAbsurd(readUsage({ input_tokens: 1_000_000, output_tokens: 128_000 }), OPUS, book, NOW)).toBe(false);
  });

  test('nothing that an upstream can say throws', () => {
    const names = [
      'input_tokens',
      'output_tokens',
      'cache_creation',
      'iterations',
      'server_tool_use',
      'speed',
      'inference_geo',
    ];
    const anything = fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...names), fc.anything()));
    fc.assert(
      fc.property(anything, anything, (start, delta) => {
        expect(usd(mergeDelta(readUsage(start), delta))).toBeGreaterThanOrEqual(0n);
      }),
    );
  });
});

describe('billedTokens', () => {
  const plain = { input_tokens: 1_000, output_tokens: 200, cache_read_input_tokens: 50_000 };
  const written = { cache_creation: { ephemeral_5m_input_tokens: 400, ephemeral_1h_input_tokens: 80 } };

  test('are the tokens that are charged for, of all inferences', () => {
    expect(billedTokens(readUsage({ ...plain, ...written, cache_creation_input_tokens: 480 }), OPUS)).toEqual({
      input: 1_000,
      output: 200,
      cacheRead: 50_000,
      cacheWrite5m: 400,
      cacheWrite1h: 80,
    });
    const compacted = { type: 'compaction', input_tokens: 9_000, output_tokens: 700 };
    const answered = { type: 'message', ...plain };
    const listed = readUsage({ ...plain, iterations: [compacted, answered] });
    expect(billedTokens(listed, OPUS)).toMatchObject({ input: 10_000, output: 900, cacheRead: 50_000 });
    expect(billedTokens({ ...readUsage(plain), declined: true }, OPUS)).toMatchObject({ input: 0, output: 0 });
  });
});
