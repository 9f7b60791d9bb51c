/**
 * The file of a price book: `prices.json` (USD per million tokens, as decimal strings), which an administrator may
 * replace at run time. A row of `rates` holds from its `from` until the next row's, and is complete: a surcharge that a
 * row leaves out has ended.
 */

import { parseUsd, USD } from '../core/money.ts';
import { END_OF_TIME } from '../core/period.ts';
import { higherRate, during, GEO_UNIT, type PriceBook, type Prices, type Rate } from './price-book.ts';

/** What is wrong with a price book: one line for each problem, beginning with its path. */
export class PriceBookInvalid extends Error {
  override readonly name = 'PriceBookInvalid';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`the price book is invalid: ${problems.join('; ')}`);
    this.problems = problems;
  }
}

/** The list price, for books that were written before containers had one here. */
const CONTAINER_HOUR = '0.05';

/** Reads a parsed price book file. Throws `PriceBookInvalid` with every problem named by its path. */
export function parsePriceBook(value: unknown): PriceBook {
  const reader = new Reader();
  const file = reader.object(value, '', ['version', 'tools', 'models']);
  const version = reader.text(file['version'], 'version');
  const tools = reader.object(file['tools'], 'tools', ['webSearch', 'containerHour']);
  const webSearchNano = reader.usd(tools['webSearch'], 'tools.webSearch');
  const { containerHour = CONTAINER_HOUR } = tools;
  const containerHourNano = reader.usd(containerHour, 'tools.containerHour');
  const histories = reader.list(file['models'], 'models').map((model, i) => readModel(reader, model, `models[${i}]`));
  const fastest = histories.flatMap((history) => history.rows.flatMap((row) => row.fast ?? []));
  const models = new Map<string, readonly Rate[]>();
  for (const history of histories) {
    const rates = ratesOf(history, fastest);
    for (const name of history.names) {
      if (models.has(name)) reader.problem('models', `${JSON.stringify(name)} is there twice`);
      models.set(name, rates);
    }
  }
  if (reader.problems.length > 0) throw new PriceBookInvalid(reader.problems);
  return { version, models, dearest: dearestOf([...new Set(models.values())]), webSearchNano, containerHourNano };
}

interface Row extends Pick<Rate, 'from' | 'standard' | 'longPrompt'> {
  readonly fast: Prices | null;
}

interface History extends Pick<Rate, 'geo' | 'contextWindow' | 'maxOutputTokens'> {
  /** The id, then the aliases. */
  readonly names: readonly [string, ...string[]];
  readonly rows: readonly Row[];
}

function readModel(reader: Reader, value: unknown, path: string): History {
  const model = reader.object(value, path, ['id', 'aliases', 'contextWindow', 'maxOutputTokens', 'geo', 'rates']);
  const rows = reader
    .list(model['rates'], `${path}.rates`)
    .map((row, i) => readRow(reader, row, `${path}.rates[${i}]`, i));
  rows.forEach((row, i) => {
    const previous = rows[i - 1];
    if (previous !== undefined && row.from <= previous.from) {
      reader.problem(`${path}.rates[${i}].from`, 'must be later than the row before');
    }
  });
  const aliases = model['aliases'] === undefined ? [] : reader.list(model['aliases'], `${path}.aliases`, 0);
  return {
    names: [
      reader.text(model['id'], `${path}.id`),
      ...aliases.map((alias, i) => reader.text(alias, `${path}.aliases[${i}]`)),
    ],
    contextWindow: reader.count(model['contextWindow'], `${path}.contextWindow`),
    maxOutputTokens: reader.count(model['maxOutputTokens'], `${path}.maxOutputTokens`),
    geo: model['geo'] === undefined ? GEO_UNIT : reader.multiplier(model['geo'], `${path}.geo`),
    rows,
  };
}

const PRICES = ['input', 'cacheWrite5m', 'cacheWrite1h', 'cacheRead', 'output'];

function readRow(reader: Reader, value: unknown, path: string, index: number): Row {
  const row = reader.object(value, path, ['from', ...PRICES, 'longPrompt', 'fast']);
  const { fast, longPrompt } = row;
  return {
    from: index === 0 && row['from'] === undefined ? 0 : reader.instant(row['from'], `${path}.from`),
    standard: readPrices(reader, row, path),
    fast: fast === undefined ? null : readPrices(reader, reader.object(fast, `${path}.fast`, PRICES), `${path}.fast`),
    longPrompt: longPrompt === undefined ? null : readLongPrompt(reader, longPrompt, `${path}.longPrompt`),
  };
}

function readLongPrompt(reader: Reader, value: unknown, path: string): Rate['longPrompt'] {
  const row = reader.object(value, path, ['abovePromptTokens', ...PRICES]);
  return {
    abovePromptTokens: reader.count(row['abovePromptTokens'], `${path}.abovePromptTokens`),
    prices: readPrices(reader, row, path),
  };
}

function readPrices(reader: Reader, row: Record<string, unknown>, path: string): Prices {
  return {
    input: reader.usd(row['input'], `${path}.input`),
    cacheWrite5m: reader.usd(row['cacheWrite5m'], `${path}.cacheWrite5m`),
    cacheWrite1h: reader.usd(row['cacheWrite1h'], `${path}.cacheWrite1h`),
    cacheRead: reader.usd(row['cacheRead'], `${path}.cacheRead`),
    output: reader.usd(row['output'], `${path}.output`),
  };
}

function ratesOf({ names, rows, geo, contextWindow, maxOutputTokens }: History, fastest: readonly Prices[]): Rate[] {
  return rows.map(({ from, standard, longPrompt, fast }, i) => ({
    names,
    from: i === 0 ? 0 : from,
    until: rows[i + 1]?.from ?? END_OF_TIME,
    standard,
    longPrompt,
    fast: fast ?? fastest.reduce(higherRate, standard),
    geo,
    contextWindow,
    maxOutputTokens,
  }));
}

function dearestOf(models: readonly (readonly Rate[])[]): Rate[] {
  const starts = [...new Set(models.flatMap((rates) => rates.map((rate) => rate.from)))].toSorted((a, b) => a - b);
  return starts.map((from, i) => {
    const all = models.map((rates) => during(rates, from));
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
      geo: all.map((rate) => rate.geo).reduce((a, b) => (a > b ? a : b)),
      contextWindow: Math.max(...all.map((rate) => rate.contextWindow)),
      maxOutputTokens: Math.max(...all.map((rate) => rate.maxOutputTokens)),
    };
  });
}

const INSTANT = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}Z)?$/;
/** Dear enough for anything, and small enough that no call can cost more than a counter holds. */
const MAX_PRICE = 10_000n * USD;
const MULTIPLIER = /^([1-9])(?:\.([0-9]{1,4}))?$/;

/** Reads a file and goes on after a problem, so that all of them can be named at once. */
class Reader {
  readonly problems: string[] = [];

  problem(path: string, what: string): void {
    this.problems.push(path === '' ? `the file ${what}` : `${path} ${what}`);
  }

  object(value: unknown, path: string, fields: readonly string[]): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.problem(path, 'must be an object');
      return {};
    }
    for (const field of Object.keys(value)) {
      if (!fields.includes(field)) this.problem(path === '' ? field : `${path}.${field}`, 'is not a known field');
    }
    return value as Record<string, unknown>;
  }

  list(value: unknown, path: string, atLeast = 1): unknown[] {
    if (Array.isArray(value) && value.length >= atLeast) return value;
    this.problem(path, atLeast === 0 ? 'must be a list' : 'must be a list with at least one entry');
    return [];
  }

  text(value: unknown, path: string): string {
    if (typeof value === 'string' && value !== '') return value;
    this.problem(path, 'must be a string');
    return '';
  }

  count(value: unknown, path: string): number {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value;
    this.problem(path, 'must be a positive integer');
    return 1;
  }

  usd(value: unknown, path: string): bigint {
    try {
      const price = parseUsd(String(value));
      if (typeof value === 'string' && price <= MAX_PRICE) return price;
    } catch {
      // Told below, with the path.
    }
    this.problem(path, 'must be an amount in USD of at most 10000 as a string such as "6.25"');
    return 0n;
  }

  multiplier(value: unknown, path: string): bigint {
    const match = typeof value === 'string' ? MULTIPLIER.exec(value) : null;
    if (match !== null) return BigInt(match[1] as string) * GEO_UNIT + BigInt((match[2] ?? '').padEnd(4, '0'));
    this.problem(path, 'must be a multiplier from 1 to below 10 as a string such as "1.1"');
    return GEO_UNIT;
  }

  instant(value: unknown, path: string): number {
    const at = typeof value === 'string' && INSTANT.test(value) ? Date.parse(value) : NaN;
    if (!Number.isNaN(at) && new Date(at).toISOString().startsWith((value as string).slice(0, 10))) return at;
    this.problem(path, 'must be a UTC date or instant such as "2026-10-07" or "2026-10-07T00:00:00Z"');
    return 0;
  }
}
