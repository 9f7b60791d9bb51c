/**
 * What an installation pays that is not the list price: a discount of its contract, prices agreed for a model, or a
 * region in which all inference is kept. Each becomes a price book of its own, made from the list and published by its
 * content: a call that was admitted under one is booked under that one, whatever is agreed meanwhile.
 */

import { globs } from '../core/matching.ts';
import { formatUsd, parseUsd } from '../core/money.ts';
import { parsePriceBook, PriceBookInvalid } from './price-book-file.ts';
import { GEO_UNIT } from './price-book.ts';

/** The prices of some namespaces. Of several that match a namespace the first one holds. */
export interface Pricing {
  /** Names; `*` stands for any characters. */
  readonly namespaces: readonly string[];
  /** Multiplies every price of the list, in ten-thousandths: 8_500n is 15 % off. */
  readonly multiplier: bigint;
  /** Their calls are kept in a region without asking for it, so every price has that surcharge. */
  readonly regional: boolean;
  /** By model: the rows that replace its own in the book, not multiplied. */
  readonly overrides: Readonly<Record<string, readonly object[]>>;
}

/** What is wrong with the setting, in one sentence. */
export interface PricingProblem {
  readonly problem: string;
}

/** Reads the setting `pricing`. Never throws. */
export function readContractPrices(value: unknown): readonly Pricing[] | PricingProblem {
  if (!Array.isArray(value) || value.length > MOST) return { problem: `must be a list of at most ${MOST} entries` };
  const entries = value.map((entry, i) => readEntry(entry, `entry ${i}`));
  return entries.find((entry) => 'problem' in entry) ?? (entries as Pricing[]);
}

/** How many books fit into a ConfigMap beside all else. */
const MOST = 16;

const FIELDS = ['namespaces', 'multiplier', 'regional', 'overrides'];
const MULTIPLIER = /^([0-9])(?:\.([0-9]{1,4}))?$/;

function readEntry(entry: unknown, path: string): Pricing | PricingProblem {
  if (!isMapping(entry)) return { problem: `${path} must be a mapping` };
  const { namespaces, multiplier = '1', regional = false, overrides = {} } = entry;
  const factor = readMultiplier(multiplier);
  const problem =
    unknownField(entry) ??
    unless(areNames(namespaces), 'namespaces must be a list of names such as "team-*", at least one') ??
    unless(factor > 0n, 'multiplier must be above 0 and below 10 as a string such as "0.85"') ??
    unless(typeof regional === 'boolean', 'regional must be true or false') ??
    problemOf(overrides);
  if (problem !== null) return { problem: `${path}: ${problem}` };
  return { namespaces, multiplier: factor, regional, overrides } as Pricing;
}

function unless(isRight: boolean, sentence: string): string | null {
  return isRight ? null : sentence;
}

function unknownField(entry: object): string | null {
  const unknown = Object.keys(entry).find((name) => !FIELDS.includes(name));
  return unknown === undefined ? null : `there is no ${unknown}; there are ${FIELDS.join(', ')}`;
}

function areNames(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string');
}

/** In ten-thousandths; 0 for what is none. */
function readMultiplier(value: unknown): bigint {
  const [, whole = '', part = ''] = (typeof value === 'string' ? MULTIPLIER.exec(value) : null) ?? [];
  return BigInt(`${whole}${part.padEnd(4, '0')}`);
}

/** The rows are those of a price book, so a book has to say whether they are right. */
function problemOf(overrides: unknown): string | null {
  if (!isMapping(overrides)) return 'overrides must be a mapping of models to rows of the price book';
  for (const [id, rates] of Object.entries(overrides)) {
    const model = { id, contextWindow: 1, maxOutputTokens: 1, rates };
    try {
      parsePriceBook({ version: '1', tools: { webSearch: '0' }, models: [model] });
    } catch (error) {
      if (!(error instanceof PriceBookInvalid)) throw error;
      return error.problems.map((text) => text.replace('models[0].rates', `overrides.${id}`)).join('; ');
    }
  }
  return null;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The index of the pricing of a namespace; -1 for the list prices. */
export function pricingOf(namespace: string, pricing: readonly Pricing[]): number {
  return pricing.findIndex(({ namespaces }) => globs(namespaces)(namespace));
}

/** The parts of a price book's file that hold prices. */
interface BookFile {
  readonly version: string;
  readonly tools: Readonly<Record<string, string>>;
  readonly models: readonly ModelEntry[];
}

interface ModelEntry {
  readonly id: string;
  readonly geo?: string;
  readonly rates: readonly object[];
}

/**
 * The file (JSON) of the book that a pricing makes of the list, which was accepted before. Every price is rounded up to
 * a billionth of a dollar for a million tokens. A problem where the book has no such model, or a price becomes larger
 * than any may be.
 */
export function contractBook(list: string, pricing: Pricing): { readonly text: string } | PricingProblem {
  const file = JSON.parse(list) as BookFile;
  const { multiplier, regional, overrides, namespaces } = pricing;
  const missing = Object.keys(overrides).find((id) => file.models.every((model) => model.id !== id));
  if (missing !== undefined) return { problem: `overrides: the price book has no model ${missing}` };
  const models = file.models.map((model) => {
    const { geo, ...rest } = model;
    const agreed = Object.hasOwn(overrides, model.id) ? overrides[model.id] : undefined;
    const factors = [agreed === undefined ? multiplier : GEO_UNIT, regional ? factorOf(geo) : GEO_UNIT];
    const rates = (agreed ?? model.rates).map((row) => scaled(row, factors) as object);
    return { ...(regional ? rest : model), rates };
  });
  const book = {
    ...file,
    version: `${file.version} for ${namespaces.join(', ')}`,
    tools: scaled(file.tools, [multiplier]),
    models,
  };
  try {
    parsePriceBook(book);
  } catch (error) {
    if (error instanceof PriceBookInvalid) return { problem: error.message };
    throw error;
  }
  return { text: JSON.stringify(book) };
}

function factorOf(geo = '1'): bigint {
  const [whole = '1', part = ''] = geo.split('.');
  return BigInt(`${whole}${part.padEnd(4, '0')}`);
}

/** A row with all its prices multiplied; what else it has stays. */
function scaled(value: unknown, factors: readonly bigint[], name = ''): unknown {
  if (isMapping(value)) {
    return Object.fromEntries(Object.entries(value).map(([field, member]) => [field, scaled(member, factors, field)]));
  }
  if (typeof value !== 'string' || name === 'from') return value;
  return formatUsd(factors.reduce((price, factor) => (price * factor + GEO_UNIT - 1n) / GEO_UNIT, parseUsd(value)));
}
