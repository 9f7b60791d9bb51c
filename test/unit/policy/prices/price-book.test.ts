import { describe, expect, test } from '@jest/globals';
import { parseUsd } from '../../../../policy/core/money.ts';
import { END_OF_TIME } from '../../../../policy/core/period.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import {
  higherRate,
  highestRateAt,
  isSameModel,
  knownName,
  rateAt,
  retiredOn,
} from '../../../../policy/prices/price-book.ts';
import type { Rate } from '../../../../policy/prices/price-book.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { prices } from '../../../support/prices.ts';

const book = parsePriceBook(published);
const NOW = Date.parse('2026-11-23T12:00:00Z');

const at = (model: string, iso: string | number): Rate =>
  rateAt(book, model, typeof iso === 'number' ? iso : Date.parse(iso)) as Rate;

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
    for (const rates of [...all, book.highest]) {
      expect(rates[0]?.from).toBe(0);
      expect(rates.map((rate) => rate.until)).toEqual([...rates.slice(1).map((rate) => rate.from), END_OF_TIME]);
    }
    for (const instant of book.highest.map((rate) => rate.from)) {
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
    ['claude-3-7-sonnet-latest', 'claude-3-7-sonnet'],
    ['claude-3-5-haiku-latest', 'claude-3-5-haiku'],
    ['claude-opus-4-20250514', 'claude-opus-4-0'],
    ['claude-3-5-haiku-20241022', 'claude-3-5-haiku'],
    ['anthropic.claude-sonnet-4-5-20250929-v1:0', 'claude-sonnet-4-5'],
    ['global.anthropic.claude-opus-4-6-v1', 'claude-opus-4-6'],
    ['us.anthropic.claude-opus-4-5-20251101-v1:0', 'claude-opus-4-5'],
    ['claude-3-5-sonnet-v2@20241022', 'claude-3-5-sonnet'],
    ['anthropic.claude-3-5-sonnet-20241022-v2:0', 'claude-3-5-sonnet'],
    ['claude-3.7-sonnet', 'claude-3-7-sonnet'],
    ['claude-sonnet-4.5', 'claude-sonnet-4-5'],
    ['claude-3-opus-latest', 'claude-3-opus'],
    ['claude-3-haiku-20240307', 'claude-3-haiku'],
  ])('%s is %s', (name, id) => {
    expect(rateAt(book, name, NOW)?.names[0]).toBe(id);
  });

  test.each([
    'claude-opus-5-9',
    'claude-opus-6',
    'claude-opus-5-5-mini',
    'claude-opus-5-fast',
    'claude-opus',
    'claude-opus-latest',
    'claude-opus-5-latest',
    'claude-opus-5-2026072',
    'my-claude-opus-5',
    'us.meta.claude-opus-5',
    'claude-opus-5-latest[1m]',
    'claude-4-5-sonnet',
    'claude-2.1',
    'Claude-Opus-5',
    'toString',
    '',
  ])('%j is unknown: no known model lends it a price', (name) => {
    expect(rateAt(book, name, NOW)).toBeNull();
  });
});

test('a name that asks for a region has the surcharge of the region in its prices, once', () => {
  const [plain, regional] = [at('claude-opus-5-5', NOW), at('eu.anthropic.claude-opus-5-5-v1:0', NOW)];
  expect(regional).toMatchObject({ standard: prices('4.4/5.5/8.8/0.22/22'), fast: prices('8.8/11/17.6/0.44/44') });
  expect([regional.geo, regional.names]).toEqual([10_000n, plain.names]);
  expect(at('global.anthropic.claude-opus-5-5-v1:0', NOW)).toEqual(plain);
  expect(at('us.anthropic.claude-haiku-5-5', NOW).longPrompt?.prices).toEqual(prices('0.55/0.6875/1.1/0.055/2.75'));
});

test('two names of one model are the same, and no name of another is', () => {
  expect(isSameModel(book, 'claude-opus-4', 'us.anthropic.claude-opus-4-20250514-v1:0')).toBe(true);
  expect(isSameModel(book, 'claude-opus-5', 'claude-opus-5-5')).toBe(false);
  expect(isSameModel(book, 'claude-new', 'claude-new')).toBe(true);
  expect(isSameModel(book, 'claude-new', 'claude-newer')).toBe(false);
});

test.each([
  ['claude-3-7-sonnet-latest', '2026-02-19'],
  ['us.anthropic.claude-3-7-sonnet-20250219-v1:0', '2026-02-19'],
  ['claude-2.1', '2025-07-21'],
  ['claude-instant-1.2', '2024-11-06'],
  ['claude-opus-5-5', null],
  ['claude-none', null],
])('%s was retired on %p', (model, date) => {
  expect(retiredOn(book, model)).toBe(date);
});

test('a spelling that two models of a book share is the name of neither', () => {
  const row = { input: '1', cacheWrite5m: '1', cacheWrite1h: '1', cacheRead: '1', output: '1' };
  const models = ['claude-x-20250101', 'claude-x-20260101'].map((id) => ({
    id,
    contextWindow: 1,
    maxOutputTokens: 1,
    rates: [row],
  }));
  const two = parsePriceBook({ version: '1', tools: { webSearch: '0' }, models });
  expect(['claude-x', 'claude-x-20250101'].map((name) => knownName(two, name))).toEqual([null, 'claude-x-20250101']);
});
