/**
 * What an installation pays that is not the list price: a discount of its contract, prices agreed for a model, or a
 * region in which all inference is kept. Each becomes a price book of its own, made from the list and published by its
 * content: a call that was admitted under one is booked under that one, whatever is agreed meanwhile.
 */

import * as v from 'valibot';
import { globs } from '../core/matching.ts';
import { formatUsd, parseUsd } from '../core/money.ts';
import { mapping, mappingOf, textLike } from '../core/schema-fields.ts';
import { type BookFile, parsePriceBook, PriceBookInvalid, RATES, tenThousandths } from './price-book-file.ts';
import { GEO_UNIT } from './price-book.ts';

const NAMES = 'a list of names such as "team-*", at least one';
const MULTIPLIER = 'a number above 0 and below 10 as a string such as "0.85"';

/** The prices of some namespaces. Of several that match a namespace the first one holds. */
const PRICING = mapping({
  /** Names; `*` stands for any characters. */
  namespaces: v.pipe(v.array(v.string('a name'), NAMES), v.minLength(1, NAMES)),
  /** Multiplies every price of the list, in ten-thousandths: 8_500n is 15 % off. */
  multiplier: v.optional(
    v.pipe(textLike(/^[0-9](\.[0-9]{1,4})?$/, MULTIPLIER), v.transform(tenThousandths), v.minValue(1n, MULTIPLIER)),
    '1',
  ),
  /** Their calls are kept in a region without asking for it, so every price has that surcharge. */
  regional: v.optional(v.boolean('true or false'), false),
  /** By model: the rows that replace its own in the book, not multiplied. */
  overrides: v.optional(mappingOf(RATES, 'a mapping of models to rows of the price book'), {}),
});

export type Pricing = Readonly<v.InferOutput<typeof PRICING>>;

/** How many books fit into a ConfigMap beside all else. */
const MOST = 16;

/** The setting `pricing`. */
export const CONTRACT_PRICES = v.pipe(
  v.array(PRICING, `a list of at most ${MOST} entries`),
  v.maxLength(MOST, `at most ${MOST} entries`),
);

/** The index of the pricing of a namespace; -1 for the list prices. */
export function pricingOf(namespace: string, pricing: readonly Pricing[]): number {
  return pricing.findIndex(({ namespaces }) => globs(namespaces)(namespace));
}

/**
 * The file (JSON) of the book that a pricing makes of the list, which was accepted before. Every price is rounded up to
 * a billionth of a dollar for a million tokens. A problem where the book has no such model, or a price becomes larger
 * than any may be.
 */
export function contractBook(list: string, pricing: Pricing): { readonly text: string } | { readonly problem: string } {
  const file = JSON.parse(list) as BookFile;
  const { multiplier, regional, overrides, namespaces } = pricing;
  const missing = Object.keys(overrides).find((id) => file.models.every((model) => model.id !== id));
  if (missing !== undefined) return { problem: `overrides: the price book has no model ${missing}` };
  const models = file.models.map((model) => {
    const { geo = '1', ...rest } = model;
    const agreed = Object.hasOwn(overrides, model.id) ? overrides[model.id] : undefined;
    const factors = [agreed === undefined ? multiplier : GEO_UNIT, regional ? tenThousandths(geo) : GEO_UNIT];
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

/** A row with all its prices multiplied; what else it has stays. */
function scaled(value: unknown, factors: readonly bigint[], name = ''): unknown {
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([field, member]) => [field, scaled(member, factors, field)]));
  }
  if (typeof value !== 'string' || name === 'from') return value;
  return formatUsd(factors.reduce((price, factor) => (price * factor + GEO_UNIT - 1n) / GEO_UNIT, parseUsd(value)));
}
