import { describe, expect, test } from '@jest/globals';
import { parseSettings, SettingsInvalid } from '../../../../policy/config/settings.ts';
import { parseUsd } from '../../../../policy/core/money.ts';
import { contractBook, pricingOf } from '../../../../policy/prices/contract-prices.ts';
import { parsePriceBook } from '../../../../policy/prices/price-book-file.ts';
import { GEO_UNIT, highestRateAt, type Rate, rateAt } from '../../../../policy/prices/price-book.ts';
import published from '../../../../policy/prices/prices.json' with { type: 'json' };
import { prices } from '../../../support/prices.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');

describe('contract prices', () => {
  test('are read with their defaults', () => {
    const row = { input: '3', cacheWrite5m: '3.75', cacheWrite1h: '6', cacheRead: '0.2', output: '15' };
    const overrides = { 'claude-opus-5-5': [row] };
    const pricing = [{ namespaces: ['team-*'], multiplier: '0.85', regional: true, overrides }, { namespaces: ['x'] }];
    expect(parseSettings({ pricing }).pricing).toEqual([
      { namespaces: ['team-*'], multiplier: 8_500n, regional: true, overrides },
      { namespaces: ['x'], multiplier: 10_000n, regional: false, overrides: {} },
    ]);
  });

  test.each([
    ['pricing is a mapping: write a list of at most 16 entries', { namespaces: ['a'] }],
    ['pricing is a list: write at most 16 entries', Array.from({ length: 17 }, () => ({ namespaces: ['a'] }))],
    ['pricing[1] is "b": write a mapping', [{ namespaces: ['a'] }, 'b']],
    [
      'pricing[0].discount is unknown: write only namespaces, multiplier, regional, overrides',
      [{ namespaces: ['a'], discount: 1 }],
    ],
    ['pricing[0].namespaces is not set: write a list of names such as "team-*", at least one', [{}]],
    [
      'pricing[0].namespaces is an empty list: write a list of names such as "team-*", at least one',
      [{ namespaces: [] }],
    ],
    ['pricing[0].namespaces[0] is 5: write a name', [{ namespaces: [5] }]],
    ...[0.85, '0', '0.0000', '-1', '10', '0.85001', ''].map((multiplier): [string, unknown] => [
      `pricing[0].multiplier is ${JSON.stringify(multiplier)}: write a number above 0 and below 10 as a string such as "0.85"`,
      [{ namespaces: ['a'], multiplier }],
    ]),
    ['pricing[0].regional is "us": write true or false', [{ namespaces: ['a'], regional: 'us' }]],
    [
      'pricing[0].overrides is an empty list: write a mapping of models to rows of the price book',
      [{ namespaces: ['a'], overrides: [] }],
    ],
    [
      'pricing[0].overrides.m[0].input is 1: write an amount in USD of at most 10000 as a string such as "6.25"',
      [
        {
          namespaces: ['a'],
          overrides: { m: [{ input: 1, cacheWrite5m: '1', cacheWrite1h: '1', cacheRead: '1', output: '1' }] },
        },
      ],
    ],
    ['pricing[0].overrides.m is an empty list: write at least one row', [{ namespaces: ['a'], overrides: { m: [] } }]],
  ])('are refused: %s', (problem, pricing) => {
    expect(() => parseSettings({ pricing })).toThrow(new SettingsInvalid([problem]));
  });
});

describe('an agreed price book', () => {
  const agreed = (pricing: object) => {
    const [one] = parseSettings({ pricing: [{ namespaces: ['team-*'], ...pricing }] }).pricing;
    const book = contractBook(JSON.stringify(published), one!);
    if (!book.ok) throw new Error(book.error);
    return parsePriceBook(JSON.parse(book.value));
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
    const { value: text } = contractBook(list, pricing) as { value: string };
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
      ok: false,
      error: 'overrides: the price book has no model claude-none',
    });
    const expensive = { id: 'a', contextWindow: 1, maxOutputTokens: 1, rates: [row] };
    const list = JSON.stringify({ version: '1', tools: { webSearch: '0.01' }, models: [expensive] });
    expect(contractBook(list, { ...unknown, multiplier: 2n * GEO_UNIT, overrides: {} })).toMatchObject({
      ok: false,
      error: expect.stringContaining('models[0].rates[0].output is "18000.00"'),
    });
  });

  test('is that of the first entry that names the namespace', () => {
    const { pricing } = parseSettings({ pricing: [{ namespaces: ['team-a'] }, { namespaces: ['team-*', 'lab'] }] });
    expect(['team-a', 'team-b', 'lab', 'payments'].map((name) => pricingOf(name, pricing))).toEqual([0, 1, 1, -1]);
  });
});
