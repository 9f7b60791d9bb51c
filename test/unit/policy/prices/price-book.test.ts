import { describe, expect, test } from '@jest/globals';
import { parseUsd } from '../../../../policy/core/money.ts';
import { END_OF_TIME } from '../../../../policy/core/period.ts';
import { worstCost } from '../../../../policy/cost/worst-cost.ts';
import {
  contractBook,
  type Pricing,
  pricingOf,
  readContractPrices,
} from '../../../../policy/prices/contract-prices.ts';
import { parsePriceBook, PriceBookInvalid } from '../../../../policy/prices/price-book-file.ts';
import { higherRate, highestRateAt, GEO_UNIT, rateAt } from '../../../../policy/prices/price-book.ts';
import type { Prices, Rate } from '../../../../policy/prices/price-book.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { factsOf } from '../../../support/facts.ts';

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-23T12:00:00Z');

/** input / 5m write / 1h write / read / output, in USD. */
const prices = (text: string): Prices => {
  const [input, cacheWrite5m, cacheWrite1h, cacheRead, output] = text.split('/').map(parseUsd) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  return { input, cacheWrite5m, cacheWrite1h, cacheRead, output };
};
const at = (model: string, iso: string | number): Rate =>
  rateAt(book, model, typeof iso === 'number' ? iso : Date.parse(iso)) as Rate;
const problemsOf = (value: unknown): readonly string[] => {
  try {
    parsePriceBook(value);
  } catch (error) {
    expect(error).toBeInstanceOf(PriceBookInvalid);
    return (error as PriceBookInvalid).problems;
  }
  return [];
};

describe('the published book', () => {
  test('has the list prices of the day', () => {
    expect(at('claude-opus-5-5', NOW).standard).toEqual(prices('4/5/8/0.20/20'));
    expect(at('claude-opus-5-5', NOW).fast).toEqual(prices('8/10/16/0.40/40'));
    expect(at('claude-fable-5-2', NOW).standard).toEqual(prices('8/10/16/0.20/40'));
    expect(at('claude-haiku-5-5', NOW).standard).toEqual(prices('0.10/0.125/0.20/0.01/0.50'));
    expect(at('claude-haiku-5-5', NOW).longPrompt).toEqual({
      abovePromptTokens: 100_000,
      prices: prices('0.50/0.625/1/0.05/2.50'),
    });
    expect(at('claude-opus-5', NOW)).toMatchObject({
      geo: 11_000n,
      contextWindow: 1_000_000,
      maxOutputTokens: 128_000,
    });
    expect(at('claude-haiku-4-5', NOW).geo).toBe(10_000n);
    expect(book.webSearchNano).toBe(parseUsd('0.01'));
  });

  test('changes a price at the very instant it names, and says until when it holds', () => {
    const change = Date.parse('2026-10-07T00:00:00Z');
    expect(at('claude-sonnet-5-5', change - 1)).toMatchObject({
      from: 0,
      until: change,
      standard: prices('2/2.5/4/0.20/10'),
    });
    expect(at('claude-sonnet-5-5', change)).toMatchObject({
      from: change,
      until: END_OF_TIME,
      standard: prices('2/2.5/4/0.10/10'),
    });
  });

  test('prices a call before the first row by the first row', () => {
    expect(at('claude-fable-5-2', '2020-01-01T00:00:00Z').standard).toEqual(prices('8/10/16/0.20/40'));
  });

  test('prices fast mode that a model does not have, or no longer has, at the dearest there is', () => {
    expect(at('claude-opus-4-8', '2026-11-29T23:59:59.999Z').fast).toEqual(prices('10/12.5/20/1/50'));
    expect(at('claude-opus-4-8', '2026-11-30T00:00:00Z').fast).toEqual(prices('16/20/32/1/80'));
    expect(at('claude-opus-4-1', NOW).fast).toEqual(prices('16/20/32/1.5/80'));
  });

  test('has for every model rates that tile time, none above the dearest', () => {
    const all = [...book.models.values()];
    for (const rates of [...all, book.dearest]) {
      expect(rates[0]?.from).toBe(0);
      expect(rates.map((rate) => rate.until)).toEqual([...rates.slice(1).map((rate) => rate.from), END_OF_TIME]);
    }
    for (const instant of book.dearest.map((rate) => rate.from)) {
      const dearest = highestRateAt(book, instant);
      for (const rate of all.map((rates) => rates.find((r) => instant < r.until) as Rate)) {
        expect(higherRate(dearest.standard, rate.standard)).toEqual(dearest.standard);
        expect(higherRate(dearest.standard, rate.longPrompt?.prices ?? rate.standard)).toEqual(dearest.standard);
        expect(higherRate(dearest.fast, rate.fast)).toEqual(dearest.fast);
        expect(dearest.geo >= rate.geo && dearest.contextWindow >= rate.contextWindow).toBe(true);
      }
    }
    expect(highestRateAt(book, NOW).standard).toEqual(prices('15/18.75/30/1.5/75'));
  });
});

describe('the name of a model', () => {
  test.each([
    ['claude-opus-5-5', 'claude-opus-5-5'],
    ['claude-opus-5-5[1m]', 'claude-opus-5-5'],
    ['claude-opus-5', 'claude-opus-5'],
    ['claude-opus-5-20260724', 'claude-opus-5'],
    ['claude-haiku-4-5@20251001', 'claude-haiku-4-5'],
    ['claude-opus-4-20250514', 'claude-opus-4-0'],
    ['claude-3-5-haiku-20241022', 'claude-3-5-haiku'],
    ['anthropic.claude-sonnet-4-5-20250929-v1:0', 'claude-sonnet-4-5'],
    ['global.anthropic.claude-opus-4-6-v1', 'claude-opus-4-6'],
  ])('%s is %s', (name, id) => {
    expect(rateAt(book, name, NOW)?.names[0]).toBe(id);
  });

  test.each([
    'claude-opus-5-9',
    'claude-opus-6',
    'claude-opus-5-5-mini',
    'claude-opus-5-fast',
    'claude-opus',
    'claude-opus-5-2026072',
    'my-claude-opus-5',
    'us.anthropic.claude-opus-4-5-20251101-v1:0',
    'Claude-Opus-5',
    'toString',
    '',
  ])('%j is unknown: no known model lends it a price', (name) => {
    expect(rateAt(book, name, NOW)).toBeNull();
  });
});

describe('an administrator’s book', () => {
  const row = { input: '1', cacheWrite5m: '1.25', cacheWrite1h: '2', cacheRead: '0.1', output: '5' };
  const model = { id: 'a', contextWindow: 1000, maxOutputTokens: 100, rates: [row] };
  const file = { version: '1', tools: { webSearch: '0.01' }, models: [model] };

  test('may be as small as one model', () => {
    expect(rateAt(parsePriceBook(file), 'a', 0)).toEqual({
      names: ['a'],
      from: 0,
      until: END_OF_TIME,
      standard: prices('1/1.25/2/0.1/5'),
      longPrompt: null,
      fast: prices('1/1.25/2/0.1/5'),
      geo: 10_000n,
      contextWindow: 1000,
      maxOutputTokens: 100,
    });
  });

  test('is searched for the dearest of each token at each instant', () => {
    const other = { ...row, input: '3', output: '4', longPrompt: { abovePromptTokens: 5, ...row, cacheRead: '0.7' } };
    const cheaper = { ...row, from: '2026-10-07', input: '0.5', fast: { ...row, output: '9' } };
    const both = parsePriceBook({
      ...file,
      models: [
        { ...model, aliases: ['z'], geo: '1.25', rates: [other, cheaper] },
        { ...model, id: 'b', contextWindow: 7 },
      ],
    });
    const change = Date.parse('2026-10-07T00:00:00Z');
    const common = { names: [], longPrompt: null, geo: 12_500n, contextWindow: 1000, maxOutputTokens: 100 };
    expect(highestRateAt(both, change - 1)).toEqual({
      ...common,
      from: 0,
      until: change,
      standard: prices('3/1.25/2/0.7/5'),
      fast: prices('3/1.25/2/0.7/9'),
    });
    expect(highestRateAt(both, change)).toEqual({
      ...common,
      from: change,
      until: END_OF_TIME,
      standard: prices('1/1.25/2/0.1/5'),
      fast: prices('1/1.25/2/0.1/9'),
    });
  });

  test('is refused with every problem named by its path', () => {
    const broken = {
      version: 1,
      tools: { webSearch: '-1' },
      models: [
        { ...model, aliases: ['b'], surprise: true },
        { ...model, id: 'b', geo: '0.5', contextWindow: 0, maxOutputTokens: '5' },
        {
          ...model,
          id: 'c',
          rates: [
            { ...row, output: 5 },
            { ...row, from: '2026-02-30' },
          ],
        },
        { ...model, id: 'd', rates: [{ ...row, from: '2026-02-02' }, { ...row, from: '2026-02-02T00:00:00Z' }, row] },
        { ...model, id: 'e', rates: [{ ...row, fast: {}, longPrompt: { ...row } }] },
        { ...model, id: 'f', rates: [] },
        null,
      ],
      extra: 1,
    };
    expect(problemsOf(broken)).toMatchSnapshot();
  });

  test('holds no price with which one call could cost more than a counter can hold', () => {
    const dear = { ...file, models: [{ ...model, geo: '9.9999', rates: [{ ...row, output: '10000' }] }] };
    const facts = { model: 'a', maxTokens: 1_000_000_000, inputTokens: 32_000_000, fast: true, geoUs: true };
    expect(worstCost(factsOf(facts), parsePriceBook(dear), 0)).toBeLessThan(2n ** 63n);
    expect(problemsOf({ ...dear, models: [{ ...model, rates: [{ ...row, output: '10000.01' }] }] })).toEqual([
      'models[0].rates[0].output must be an amount in USD of at most 10000 as a string such as "6.25"',
    ]);
  });

  test.each([[null], [[]], ['{}'], [{}], [{ ...file, models: [] }]])('%j is refused and not thrown over', (value) => {
    expect(problemsOf(value).length).toBeGreaterThan(0);
  });
});

describe('an agreed price book', () => {
  const agreed = (pricing: object) => {
    const [one] = readContractPrices([{ namespaces: ['team-*'], ...pricing }]) as readonly Pricing[];
    const answer = contractBook(JSON.stringify(published), one!);
    if ('problem' in answer) throw new Error(answer.problem);
    return parsePriceBook(JSON.parse(answer.text));
  };
  const rateIn = (book: ReturnType<typeof parsePriceBook>, model: string, at = NOW) => rateAt(book, model, at) as Rate;

  test('has every price of the list multiplied, at every time, and searches and containers too', () => {
    const book = agreed({ multiplier: '0.85' });
    expect(book.version).toBe('2026-11-23 for team-*');
    expect(rateIn(book, 'claude-opus-5-5')).toMatchObject({
      standard: prices('3.4/4.25/6.8/0.17/17'),
      fast: prices('6.8/8.5/13.6/0.34/34'),
      geo: 11_000n,
    });
    expect(rateIn(book, 'claude-haiku-5-5').longPrompt!.prices).toEqual(prices('0.425/0.53125/0.85/0.0425/2.125'));
    const change = Date.parse('2026-10-07T00:00:00Z');
    expect([change - 1, change].map((at) => rateIn(book, 'claude-sonnet-5-5', at).standard.cacheRead)).toEqual([
      parseUsd('0.17'),
      parseUsd('0.085'),
    ]);
    expect([book.webSearchNano, book.containerHourNano]).toEqual([parseUsd('0.0085'), parseUsd('0.0425')]);
    expect(highestRateAt(book, NOW).standard).toEqual(prices('12.75/15.9375/25.5/1.275/63.75'));
  });

  test('never rounds a price down', () => {
    const row = { input: '0.000000003', cacheWrite5m: '1', cacheWrite1h: '1', cacheRead: '0', output: '1' };
    const model = { id: 'a', contextWindow: 1, maxOutputTokens: 1, rates: [row] };
    const list = JSON.stringify({ version: '1', tools: { webSearch: '0.01' }, models: [model] });
    const pricing = { namespaces: ['*'], multiplier: 3_334n, regional: false, overrides: {} };
    const { text } = contractBook(list, pricing) as { text: string };
    const { standard } = rateIn(parsePriceBook(JSON.parse(text)), 'a');
    expect([standard.input, standard.cacheRead]).toEqual([2n, 0n]);
  });

  test('has the rows that were agreed for a model as they are, under all its names', () => {
    const before = { input: '3', cacheWrite5m: '3.5', cacheWrite1h: '6', cacheRead: '0.15', output: '15' };
    const rates = [before, { ...before, from: '2027-01-01', output: '14' }];
    const book = agreed({ multiplier: '0.5', overrides: { 'claude-opus-4-5': rates } });
    const name = 'claude-opus-4-5-20251101';
    expect(rateIn(book, name)).toMatchObject({ standard: prices('3/3.5/6/0.15/15'), contextWindow: 200_000 });
    expect(rateIn(book, name, Date.parse('2027-01-01')).standard.output).toBe(parseUsd('14'));
    expect(rateIn(book, 'claude-opus-5').standard.input).toBe(parseUsd('2.5'));
  });

  test('of a region has its surcharge in every price, and none on top where an answer names the region', () => {
    const book = agreed({ regional: true });
    expect(rateIn(book, 'claude-opus-5-5')).toMatchObject({ standard: prices('4.4/5.5/8.8/0.22/22'), geo: GEO_UNIT });
    expect(rateIn(book, 'claude-haiku-4-5').standard).toEqual(prices('1/1.25/2/0.1/5'));
    expect(book.webSearchNano).toBe(parseUsd('0.01'));
  });

  test('is refused where the list has no such model, or a price becomes larger than any may be', () => {
    const row = { input: '1', cacheWrite5m: '1', cacheWrite1h: '1', cacheRead: '0', output: '9000' };
    const unknown = { namespaces: ['*'], multiplier: GEO_UNIT, regional: false, overrides: { 'claude-none': [row] } };
    expect(contractBook(JSON.stringify(published), unknown)).toEqual({
      problem: 'overrides: the price book has no model claude-none',
    });
    const dear = { id: 'a', contextWindow: 1, maxOutputTokens: 1, rates: [row] };
    const list = JSON.stringify({ version: '1', tools: { webSearch: '0.01' }, models: [dear] });
    expect(contractBook(list, { ...unknown, multiplier: 2n * GEO_UNIT, overrides: {} })).toHaveProperty('problem');
  });

  test('is that of the first entry that names the namespace', () => {
    const pricing = readContractPrices([
      { namespaces: ['team-a'] },
      { namespaces: ['team-*', 'lab'] },
    ]) as readonly Pricing[];
    expect(['team-a', 'team-b', 'lab', 'payments'].map((name) => pricingOf(name, pricing))).toEqual([0, 1, 1, -1]);
  });
});
