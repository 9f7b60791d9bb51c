import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseUsd } from '../../../../policy/core/money.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { billedTokens, cost } from '../../../../policy/prices/usage-cost.ts';
import { readUsage, type Usage } from '../../../../policy/prices/usage.ts';
import { streamedUsage } from '../../../support/streamed-usage.ts';
import vectors from '../data/usage.json' with { type: 'json' };

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-23T12:00:00Z');
const OPUS = 'claude-opus-5-5';
const usd = (usage: Usage, model = OPUS, at = NOW): bigint => cost(usage, model, book, at);

test.each(vectors)(
  '$name costs what Anthropic bills, to the nano-dollar, streamed or not',
  ({ model, start, delta, billedUsd }) => {
    const streamed = streamedUsage(start, delta);
    expect(usd(streamed, model)).toBe(parseUsd(billedUsd));
    expect(streamed.absurd).toBe(false);
    const nonZero = Object.fromEntries(Object.entries(delta).filter(([, value]) => value !== 0));
    expect(usd(readUsage({ ...start, ...nonZero }), model)).toBe(parseUsd(billedUsd));
  },
);

describe('cost', () => {
  const reported = { input_tokens: 1000, output_tokens: 1000 };
  const usage = readUsage(reported);

  test('prices a prompt as long from one token above the limit', () => {
    const prompt = (cached: number): Usage =>
      readUsage({ input_tokens: 1, cache_read_input_tokens: cached, output_tokens: 0 });
    expect(usd(prompt(99_999), 'claude-haiku-5-5')).toBe(parseUsd('0.00100009'));
    expect(usd(prompt(100_000), 'claude-haiku-5-5')).toBe(parseUsd('0.0050005'));
  });

  test('adds the regional surcharge only for models that have one', () => {
    const regional = readUsage({ input_tokens: 1_000_000, output_tokens: 0, inference_geo: 'eu' });
    expect(usd(regional)).toBe(parseUsd('4.4'));
    expect(usd(regional, 'claude-haiku-4-5')).toBe(parseUsd('1'));
    expect(usd(readUsage({ input_tokens: 1_000_000, output_tokens: 0, inference_geo: 'not_available' }))).toBe(
      parseUsd('4'),
    );
  });

  test('prices each iteration by its own model, and a declined attempt at nothing', () => {
    const iterations = [
      { type: 'message', model: 'claude-fable-5-2', input_tokens: 1_000_000, output_tokens: 0 },
      { type: 'advisor_message', model: 'claude-fable-5-2', input_tokens: 1000, output_tokens: 100 },
      { type: 'fallback_message', model: OPUS, input_tokens: 1000, output_tokens: 1000 },
    ];
    expect(usd(streamedUsage(reported, { output_tokens: 1000, iterations }))).toBe(
      parseUsd('0.012') + parseUsd('0.024'),
    );
  });

  test('knows the model that served by any of its names', () => {
    const iterations = [{ type: 'message', model: `us.anthropic.${OPUS}-v1:0`, input_tokens: 1000, output_tokens: 0 }];
    const reported = readUsage({ input_tokens: 0, output_tokens: 0, iterations });
    expect(usd(reported)).toBe(usd(readUsage({ input_tokens: 1000, output_tokens: 0, inference_geo: 'us' })));
  });

  const declining = { type: 'message', model: null, input_tokens: 1_000_000, output_tokens: 0 };
  const compacting = { type: 'compaction', input_tokens: 10_000, output_tokens: 100 };
  const advising = { type: 'advisor_message', model: 'claude-fable-5-2', input_tokens: 1000, output_tokens: 0 };

  test('charges for a refusal before any content only what came before it', () => {
    const refused = (iterations: object[]): Usage => ({ ...streamedUsage(reported, { iterations }), declined: true });
    expect(usd(refused([]))).toBe(0n);
    expect(usd(refused([declining]))).toBe(0n);
    const attempt = { type: 'message', model: 'claude-fable-5-2', input_tokens: 1000, output_tokens: 100 };
    expect(usd(refused([compacting, attempt, advising, declining]))).toBe(
      parseUsd('0.042') + parseUsd('0.012') + parseUsd('0.008'),
    );
  });

  test('charges for the input of an advisor that said nothing', () => {
    expect(
      usd(
        streamedUsage(reported, { iterations: [{ ...declining, input_tokens: 1000, output_tokens: 1000 }, advising] }),
      ),
    ).toBe(parseUsd('0.024') + parseUsd('0.008'));
  });

  test('prices iterations without a model by the higher of the model asked for and the model that served', () => {
    const iterations = [
      compacting,
      { type: 'fallback_message', model: 'claude-haiku-5-5', input_tokens: 1000, output_tokens: 1000 },
    ];
    const merged = streamedUsage(reported, { iterations });
    expect(cost(merged, 'claude-haiku-5-5', book, NOW, OPUS)).toBe(parseUsd('0.042') + parseUsd('0.0006'));
  });

  test('prices each inference by its own length: two short prompts are not one long prompt', () => {
    const sampling = { type: 'message', model: null, input_tokens: 60_000, output_tokens: 0 };
    const total = { input_tokens: 120_000, output_tokens: 0 };
    expect(usd(readUsage({ ...total, iterations: [sampling, sampling] }), 'claude-haiku-5-5')).toBe(parseUsd('0.012'));
    expect(usd(readUsage(total), 'claude-haiku-5-5')).toBe(parseUsd('0.06'));
  });

  test('halves the tokens of a batch answer but not its searches, and not if it claims to be fast', () => {
    const batch = { input_tokens: 1000, output_tokens: 1000, service_tier: 'batch' };
    expect(usd(readUsage(batch))).toBe(parseUsd('0.012'));
    expect(usd(readUsage({ ...batch, server_tool_use: { web_search_requests: 2 } }))).toBe(parseUsd('0.032'));
    expect(usd(readUsage({ ...batch, inference_geo: 'us', cache_read_input_tokens: 1_000 }))).toBe(parseUsd('0.01331'));
    expect(usd(readUsage({ ...batch, speed: 'fast' }))).toBe(parseUsd('0.048'));
    expect(usd(readUsage({ input_tokens: 3, output_tokens: 0, service_tier: 'batch' }), 'claude-haiku-4-5')).toBe(
      1500n,
    );
  });

  test('is never less than the cost of the totals, whatever the iterations say', () => {
    expect(usd(streamedUsage(reported, { iterations: [{ type: 'message', input_tokens: 1, output_tokens: 1 }] }))).toBe(
      parseUsd('0.024'),
    );
  });

  test.each([
    ['like the one asked for', 'claude-haiku-5-5-preview', 'claude-haiku-5-5', '0.0006'],
    ['like a cheaper one', 'claude-haiku-5-5-preview', 'claude-opus-5-5', '0.024'],
    ['like a dearer one', 'claude-opus-5-5-preview', 'claude-haiku-5-5', '0.09'],
    ['like none', 'claude-next', 'claude-opus-5-5', '0.09'],
    ['that many have in theirs', 'claude', 'claude-opus-5-5', '0.09'],
  ])(
    'prices an unknown model with a name %s as the one asked for, or at the highest price',
    (_, served, asked, price) => {
      expect(cost(usage, served, book, NOW, asked)).toBe(parseUsd(price));
      const iterations = [{ type: 'message', model: served, input_tokens: 1000, output_tokens: 1000 }];
      expect(cost(readUsage({ input_tokens: 1000, output_tokens: 1000, iterations }), served, book, NOW, asked)).toBe(
        parseUsd(price),
      );
    },
  );

  test('prices an unknown model at the highest price', () => {
    expect(usd(usage, 'claude-opus-9')).toBe(parseUsd('0.09'));
  });

  test('takes the price at the instant of the call', () => {
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

describe('a usage that cannot be read', () => {
  test.each([
    [undefined],
    [null],
    ['many'],
    [[]],
    [{}],
    [{ input_tokens: 1 }],
    [{ input_tokens: null, output_tokens: 1 }],
    [{ input_tokens: -1, output_tokens: 1 }],
    [{ input_tokens: 1.5, output_tokens: 1 }],
    [{ input_tokens: '10', output_tokens: 1 }],
    [{ input_tokens: 1, output_tokens: 1e300 }],
    [{ input_tokens: 1, output_tokens: NaN }],
    [{ input_tokens: 1, output_tokens: 1, cache_creation: 'all' }],
    [{ input_tokens: 1, output_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: -5 } }],
    [{ input_tokens: 1, output_tokens: 1, cache_creation: { ephemeral_24h_input_tokens: 5 } }],
    [{ input_tokens: 1, output_tokens: 1, iterations: {} }],
    [{ input_tokens: 1, output_tokens: 1, iterations: [null] }],
    [{ input_tokens: 1, output_tokens: 1, iterations: Array.from({ length: 1_001 }, () => ({})) }],
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { web_search_requests: -1 } }],
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { time_machine_requests: 1 } }],
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { code_execution_requests: -1 } }],
  ])('recognizes %j, which still has a price', (value) => {
    const usage = readUsage(value);
    expect(usage.absurd).toBe(true);
    expect(usd(usage)).toBeGreaterThanOrEqual(0n);
  });

  test('stays true whatever comes later in the stream', () => {
    const usage = streamedUsage({ input_tokens: 1, output_tokens: 1 }, { output_tokens: -1 }, { output_tokens: 5 });
    expect(usage.absurd).toBe(true);
  });

  test('is not one that no model could have: it is priced as it is reported', () => {
    const usage = readUsage({ input_tokens: 2_000_000, output_tokens: 500_000 });
    expect(usage.absurd).toBe(false);
    expect(usd(usage)).toBe(2_000_000n * 4_000n + 500_000n * 20_000n);
  });

  test('is one of a stream whose list of inferences becomes shorter, and searches never become fewer', () => {
    const three = { output_tokens: 1, iterations: [{}, {}, {}], server_tool_use: { web_search_requests: 3 } };
    const two = { output_tokens: 1, iterations: [{}, {}], server_tool_use: { web_search_requests: 2 } };
    const streamed = (...deltas: object[]): Usage => streamedUsage({ input_tokens: 1, output_tokens: 1 }, ...deltas);
    expect(streamed(two, three)).toMatchObject({ absurd: false, webSearches: 3 });
    expect(streamed(three, two)).toMatchObject({ absurd: true, webSearches: 3 });
  });

  test('never throws, whatever an upstream reports', () => {
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
        expect(usd(streamedUsage(start, delta))).toBeGreaterThanOrEqual(0n);
      }),
    );
  });
});

describe('billedTokens', () => {
  const plain = { input_tokens: 1_000, output_tokens: 200, cache_read_input_tokens: 50_000 };
  const written = { cache_creation: { ephemeral_5m_input_tokens: 400, ephemeral_1h_input_tokens: 80 } };

  test('adds up the charged tokens of all inferences', () => {
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
