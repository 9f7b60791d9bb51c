import { describe, expect, test } from '@jest/globals';
import { END_OF_TIME } from '../../../../policy/core/period.ts';
import { worstCost } from '../../../../policy/cost/worst-cost.ts';
import { parsePriceBook, PriceBookInvalid } from '../../../../policy/prices/price-book-file.ts';
import { highestRateAt, rateAt } from '../../../../policy/prices/price-book.ts';
import { factsOf } from '../../../support/facts.ts';
import { prices } from '../../../support/prices.ts';

const problemsOf = (value: unknown): readonly string[] => {
  try {
    parsePriceBook(value);
  } catch (error) {
    expect(error).toBeInstanceOf(PriceBookInvalid);
    return (error as PriceBookInvalid).problems;
  }
  return [];
};

describe('an administrator’s book', () => {
  const row = { input: '1', cacheWrite5m: '1.25', cacheWrite1h: '2', cacheRead: '0.1', output: '5' };
  const model = { id: 'a', contextWindow: 1000, maxOutputTokens: 100, rates: [row] };
  const file = { version: '1', tools: { webSearch: '0.01' }, models: [model] };

  test('may be as small as one model', () => {
    expect(rateAt(parsePriceBook(file), 'a', 0)).toEqual({
      names: ['a'],
      hasFast: false,
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
    const common = {
      hasFast: true,
      names: [],
      longPrompt: null,
      geo: 12_500n,
      contextWindow: 1000,
      maxOutputTokens: 100,
    };
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

  test('is refused where a name stands for two models, or twice for one', () => {
    const names = (first: object, second: object) => [
      { ...model, ...first },
      { ...model, ...second },
    ];
    expect(problemsOf({ ...file, models: names({ id: 'a', aliases: ['b'] }, { id: 'b' }) })).toEqual([
      'models name b twice: write each name once',
    ]);
    expect(problemsOf({ ...file, models: names({ id: 'a', aliases: ['a'] }, { id: 'c' }) })).toEqual([
      'models name a twice: write each name once',
    ]);
  });

  test('holds no price with which one call could cost more than a counter can hold', () => {
    const dear = { ...file, models: [{ ...model, geo: '9.9999', rates: [{ ...row, output: '10000' }] }] };
    const facts = { model: 'a', maxTokens: 1_000_000_000, inputTokens: 32_000_000, fast: true, regional: true };
    expect(worstCost(factsOf(facts), parsePriceBook(dear), 0)).toBeLessThan(2n ** 63n);
    expect(problemsOf({ ...dear, models: [{ ...model, rates: [{ ...row, output: '10000.01' }] }] })).toEqual([
      'models[0].rates[0].output is "10000.01": write an amount in USD of at most 10000 as a string such as "6.25"',
    ]);
  });

  test.each([[null], [[]], ['{}'], [{}], [{ ...file, models: [] }]])('%j is refused and not thrown over', (value) => {
    expect(problemsOf(value).length).toBeGreaterThan(0);
  });
});
