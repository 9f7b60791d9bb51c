import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { worstCost } from '../../policy/bound.ts';
import { parseUsd } from '../../policy/money.ts';
import published from '../../policy/prices.json' with { type: 'json' };
import { dearestAt, parsePriceBook, rateAt } from '../../policy/prices.ts';
import type { Rate } from '../../policy/prices.ts';
import type { RequestFacts } from '../../policy/request.ts';
import { cost, isAbsurd, mergeDelta, readUsage } from '../../policy/usage.ts';
import type { Usage } from '../../policy/usage.ts';
import vectors from './data/usage.json' with { type: 'json' };

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

describe('a stream', () => {
  const start = readUsage({
    input_tokens: 2679,
    cache_read_input_tokens: 50,
    cache_creation_input_tokens: 30,
    cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
    output_tokens: 3,
    speed: 'fast',
    inference_geo: 'us',
    service_tier: 'standard',
  });

  test('takes the newest output and the larger of each input count; the rest is as it began', () => {
    const end = [
      { input_tokens: 10_682, output_tokens: 500 },
      { output_tokens: 510, cache_read_input_tokens: null },
    ].reduce(mergeDelta, start);
    expect(end).toEqual({
      input: 10_682,
      cacheRead: 50,
      cacheWrite5m: 10,
      cacheWrite1h: 20,
      output: 510,
      iterations: [],
      webSearches: 0,
      fast: true,
      regional: true,
      absurd: false,
    });
  });

  test('prices cache writes that came later as the dearer kind there is', () => {
    expect(mergeDelta(start, { cache_creation_input_tokens: 100, output_tokens: 1 })).toMatchObject({
      cacheWrite5m: 10,
      cacheWrite1h: 90,
    });
    const fiveMinutes = readUsage({ input_tokens: 1, cache_creation_input_tokens: 7, output_tokens: 1 });
    expect(mergeDelta(fiveMinutes, { cache_creation_input_tokens: 9 })).toMatchObject({
      cacheWrite5m: 9,
      cacheWrite1h: 0,
      output: 1,
    });
  });
});

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
    [{ input_tokens: 1, output_tokens: 1, server_tool_use: { code_execution_requests: 1 } }],
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

describe('the worst case', () => {
  const facts = {
    model: OPUS,
    stream: true,
    thinkingBudget: null,
    maxTokensSpan: { start: 0, end: 0 },
  };

  test('of a plain call is its input bound and its max_tokens at list price', () => {
    const plain: RequestFacts = {
      ...facts,
      inputTokens: 1000,
      maxTokens: 1000,
      cacheWrite: 'None',
      fast: false,
      geoUs: false,
    };
    const rate = rateAt(book, OPUS, NOW) as Rate;
    expect(worstCost(plain, rate)).toBe(parseUsd('0.024'));
    expect(worstCost({ ...plain, cacheWrite: 'FiveMinutes' }, rate)).toBe(parseUsd('0.025'));
    expect(worstCost({ ...plain, cacheWrite: 'OneHour' }, rate)).toBe(parseUsd('0.028'));
    expect(worstCost({ ...plain, fast: true, geoUs: true }, rate)).toBe(parseUsd('0.0528'));
    expect(worstCost({ ...plain, maxTokens: 128_000, inputTokens: 0 }, rate)).toBe(parseUsd('2.56'));
  });

  test('covers standard speed too, where an administrator made it the dearer one', () => {
    const rate = rateAt(book, OPUS, NOW) as Rate;
    const asked: RequestFacts = {
      ...facts,
      inputTokens: 1000,
      maxTokens: 0,
      cacheWrite: 'None',
      fast: true,
      geoUs: false,
    };
    expect(worstCost(asked, { ...rate, standard: { ...rate.standard, input: 9n * rate.standard.input } })).toBe(
      parseUsd('0.036'),
    );
  });

  const model = fc.constantFrom(...book.models.keys(), 'claude-unknown-9');
  const count = fc.nat({ max: 400_000 });
  const request = fc.record({
    cacheWrite: fc.constantFrom('None', 'FiveMinutes', 'OneHour'),
    fast: fc.boolean(),
    geoUs: fc.boolean(),
  });
  const speed = fc.constantFrom('fast', 'standard', null);
  const used = fc.record({ input: count, write5m: count, write1h: count, read: count, output: count });

  test('is never exceeded by a usage that the request allows', () => {
    const slack = fc.nat({ max: 1000 });
    const instant = fc.date({ min: new Date('2026-01-01'), max: new Date('2027-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(
        model,
        request,
        used,
        slack,
        slack,
        instant,
        speed,
        (name, asked, { input, write5m, write1h, read, output }, more, longer, when, speed) => {
          const fiveMinutes = asked.cacheWrite === 'None' ? 0 : write5m;
          const oneHour = asked.cacheWrite === 'OneHour' ? write1h : 0;
          const usage = readUsage({
            input_tokens: input,
            cache_read_input_tokens: read,
            cache_creation_input_tokens: fiveMinutes + oneHour,
            cache_creation: { ephemeral_5m_input_tokens: fiveMinutes, ephemeral_1h_input_tokens: oneHour },
            output_tokens: output,
            speed: asked.fast ? speed : 'standard',
            inference_geo: asked.geoUs ? 'us' : 'global',
          });
          const bounded = {
            ...facts,
            ...asked,
            inputTokens: input + read + fiveMinutes + oneHour + more,
            maxTokens: output + longer,
          } as RequestFacts;
          const at = when.getTime();
          const rate = rateAt(book, name, at) ?? dearestAt(book, at);
          expect(usd(usage, name, at) <= worstCost(bounded, rate)).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
