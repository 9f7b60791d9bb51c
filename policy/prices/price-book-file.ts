/**
 * The file of a price book: `prices.json` (USD per million tokens, as decimal strings), which an administrator may
 * replace at run time. A row of `rates` holds from its `from` until the next row's, and is complete: a surcharge that a
 * row leaves out has ended.
 */

import * as v from 'valibot';
import { canonicalModel } from '../core/model-name.ts';
import { parseUsd, USD } from '../core/money.ts';
import { END_OF_TIME } from '../core/period.ts';
import type { OwnFileKind } from '../schema/own-file.ts';
import { readBySchema } from '../schema/read-by-schema.ts';
import { mapping, mappingOf, text, textLike } from '../schema/schema-parts.ts';
import { higherRate, rateDuring, type PriceBook, type Prices, type Rate } from './price-book.ts';

/** Enough for anything, and small enough that no call can cost more than a counter holds. */
const MAX_PRICE = 10_000n * USD;
const PRICE = v.custom<string>(isPrice, 'an amount in USD of at most 10000 as a string such as "6.25"');
const PRICES = { input: PRICE, cacheWrite5m: PRICE, cacheWrite1h: PRICE, cacheRead: PRICE, output: PRICE };

const POSITIVE = 'a positive whole number';
const COUNT = v.pipe(v.number(POSITIVE), v.safeInteger(POSITIVE), v.minValue(1, POSITIVE));

const INSTANT = 'a UTC date or instant such as "2026-10-07" or "2026-10-07T00:00:00Z"';

const ROW = mapping({
  from: v.optional(v.custom<string>(isInstant, INSTANT)),
  ...PRICES,
  longPrompt: v.optional(mapping({ abovePromptTokens: COUNT, ...PRICES })),
  fast: v.optional(mapping(PRICES)),
});

type Row = v.InferOutput<typeof ROW>;

/** The rows of a model, as they are in the file. */
export const RATES = v.pipe(
  v.array(ROW, 'a list with at least one row'),
  v.minLength(1, 'at least one row'),
  v.checkItems(
    (row, i, rows) => i === 0 || isAfter(row, rows[i - 1]!),
    `does not begin after the row before: write a later from, ${INSTANT}`,
  ),
);

const MODEL = mapping({
  id: text('a name'),
  aliases: v.optional(v.array(text('a name'), 'a list of names'), []),
  contextWindow: COUNT,
  maxOutputTokens: COUNT,
  geo: v.optional(textLike(/^[1-9](\.[0-9]{1,4})?$/, 'a multiplier from 1 to below 10 as a string such as "1.1"'), '1'),
  rates: RATES,
});

const BOOK = mapping({
  version: text('a text'),
  tools: mapping({
    webSearch: PRICE,
    /** Books that were written before containers had a price have none. */
    containerHour: v.optional(PRICE, '0.05'),
  }),
  models: v.pipe(
    v.array(MODEL, 'a list with at least one model'),
    v.minLength(1, 'at least one model'),
    v.check(
      (models) => repeated(models).length === 0,
      (issue) => `name ${repeated(issue.input).join(', ')} twice: write each name once`,
    ),
  ),
  /** Names, with or without a price, and the date since which Anthropic does not serve them. */
  retired: v.optional(mappingOf(v.custom<string>(isInstant, INSTANT), `a mapping of models to ${INSTANT}`), {}),
});

/** The price book file as it is written. */
export type BookFile = v.InferInput<typeof BOOK>;

/** A price book has mistakes; `problems` names every one of them by path, value, and what to write. */
export class PriceBookInvalid extends Error {
  override readonly name = 'PriceBookInvalid';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`the price book is invalid: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/** Reads a parsed price book file. Throws `PriceBookInvalid` with every problem. */
export function parsePriceBook(value: unknown): PriceBook {
  const read = readBySchema(BOOK, value, { root: 'the file' });
  if (!read.ok) throw new PriceBookInvalid(read.error);
  return bookOf(read.value);
}

/** What is wrong with a parsed price book file, in one sentence; null if nothing is. */
export function priceBookProblem(value: unknown): string | null {
  const read = readBySchema(BOOK, value, { root: 'the file' });
  return read.ok ? null : new PriceBookInvalid(read.error).message;
}

/** The ConfigMap's entry with an administrator's own price book. */
export const PRICES_FILE: OwnFileKind = {
  entry: 'prices.json',
  problemOf: priceBookProblem,
  stays: 'The last accepted prices stay in force.',
};

function bookOf(file: v.InferOutput<typeof BOOK>): PriceBook {
  const fastest = file.models.flatMap(({ rates }) => rates.flatMap(({ fast }) => (fast ? [pricesOf(fast)] : [])));
  const histories = file.models.map((model) => ratesOf(model, fastest));
  return {
    version: file.version,
    models: byName(histories),
    retired: new Map(Object.entries(file.retired).map(([name, date]) => [canonicalModel(name), date])),
    highest: highestOf(histories),
    webSearchNano: parseUsd(file.tools.webSearch),
    containerHourNano: parseUsd(file.tools.containerHour),
  };
}

/** By every name, and by its shortest spelling where that is no other model's. */
function byName(histories: readonly (readonly Rate[])[]): ReadonlyMap<string, readonly Rate[]> {
  const written = histories.flatMap((rates) => rates[0]!.names.map((name) => [name, rates] as const));
  const short = written.map(([name, rates]) => [canonicalModel(name), rates] as const);
  const isShared = ([name, rates]: (typeof short)[number]): boolean =>
    short.some(([other, others]) => other === name && others !== rates);
  return new Map([...short.filter((one) => !isShared(one)), ...written]);
}

/** A multiplier of prices with at most four decimals, in ten-thousandths: "1.1" → 11_000n. */
export function tenThousandths(text: string): bigint {
  const [whole = '0', part = ''] = text.split('.');
  return BigInt(`${whole}${part.padEnd(4, '0')}`);
}

function pricesOf(row: Readonly<Record<keyof Prices, string>>): Prices {
  return {
    input: parseUsd(row.input),
    cacheWrite5m: parseUsd(row.cacheWrite5m),
    cacheWrite1h: parseUsd(row.cacheWrite1h),
    cacheRead: parseUsd(row.cacheRead),
    output: parseUsd(row.output),
  };
}

function ratesOf(model: v.InferOutput<typeof MODEL>, fastest: readonly Prices[]): Rate[] {
  const { id, aliases, rates, geo, contextWindow, maxOutputTokens } = model;
  return rates.map((row, i) => {
    const standard = pricesOf(row);
    const next = rates[i + 1];
    return {
      names: [id, ...aliases],
      from: i === 0 ? 0 : startOf(row),
      until: next === undefined ? END_OF_TIME : startOf(next),
      standard,
      longPrompt: row.longPrompt
        ? { abovePromptTokens: row.longPrompt.abovePromptTokens, prices: pricesOf(row.longPrompt) }
        : null,
      fast: row.fast ? pricesOf(row.fast) : fastest.reduce(higherRate, standard),
      hasFast: row.fast !== undefined,
      geo: tenThousandths(geo),
      contextWindow,
      maxOutputTokens,
    };
  });
}

function highestOf(models: readonly (readonly Rate[])[]): Rate[] {
  const starts = [...new Set(models.flatMap((rates) => rates.map((rate) => rate.from)))].toSorted((a, b) => a - b);
  return starts.map((from, i) => {
    const all = models.map((rates) => rateDuring(rates, from));
    const plain = all.map((rate) =>
      rate.longPrompt === null ? rate.standard : higherRate(rate.standard, rate.longPrompt.prices),
    );
    const standard = plain.reduce(higherRate);
    return {
      names: [],
      from,
      until: starts[i + 1] ?? END_OF_TIME,
      standard,
      longPrompt: null,
      fast: all.map((rate) => rate.fast).reduce(higherRate, standard),
      hasFast: true,
      geo: all.map((rate) => rate.geo).reduce((a, b) => (a > b ? a : b)),
      contextWindow: Math.max(...all.map((rate) => rate.contextWindow)),
      maxOutputTokens: Math.max(...all.map((rate) => rate.maxOutputTokens)),
    };
  });
}

/** When a row begins, in milliseconds since the epoch; 0 without `from`. */
function startOf({ from }: Row): number {
  return from === undefined ? 0 : Date.parse(from);
}

function isAfter(row: Row, before: Row): boolean {
  return row.from !== undefined && startOf(row) > startOf(before);
}

function isPrice(value: unknown): boolean {
  try {
    return typeof value === 'string' && parseUsd(value) <= MAX_PRICE;
  } catch {
    return false;
  }
}

/** A date of the calendar, as to which Date.parse is lax: it reads 30 February as 2 March. */
function isInstant(value: unknown): boolean {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}Z)?$/.test(value)) return false;
  const at = Date.parse(value);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(value.slice(0, 10));
}

/** Names and aliases that stand for more than one model. */
function repeated(models: readonly { readonly id: string; readonly aliases: readonly string[] }[]): readonly string[] {
  const names = models.flatMap(({ id, aliases }) => [id, ...aliases]);
  return names.filter((name, i) => names.indexOf(name) < i);
}
