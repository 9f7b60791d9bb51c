/**
 * Prices that differ from the list: a discount, prices agreed for a model, or the surcharge of a region. Each entry becomes a
 * price book of its own that is addressed by its content, so a call is booked under the book that it was admitted under.
 */

import * as v from 'valibot';
import { globs } from '../core/globs.ts';
import { ceilDiv, formatUsd, type Nano, parseUsd } from '../core/money.ts';
import { err, ok, type Result } from '../core/result.ts';
import { mapping, mappingOf, textLike } from '../schema/schema-parts.ts';
import { type BookFile, priceBookProblem, RATES, tenThousandths } from './price-book-file.ts';
import { GEO_UNIT } from './price-book.ts';

const NAMES = 'a list of names such as "team-*", at least one';
const MULTIPLIER = 'a number above 0 and below 10 as a string such as "0.85"';

/** The prices of some namespaces. Of several entries that match a namespace the first one applies. */
const PRICING = mapping({
  /** Names, with `*` for any characters. */
  namespaces: v.pipe(v.array(v.string('a name'), NAMES), v.minLength(1, NAMES)),
  /** Multiplies every price of the list, in ten-thousandths: 8_500n is 15 % off. */
  multiplier: v.optional(
    v.pipe(textLike(/^[0-9](\.[0-9]{1,4})?$/, MULTIPLIER), v.transform(tenThousandths), v.minValue(1n, MULTIPLIER)),
    '1',
  ),
  /** All their inference runs in a region, so every price has its surcharge. */
  regional: v.optional(v.boolean('true or false'), false),
  /** By model: rows that replace those of the list and are not multiplied. */
  overrides: v.optional(mappingOf(RATES, 'a mapping of models to rows of the price book'), {}),
});

export type Pricing = Readonly<v.InferOutput<typeof PRICING>>;

/** How many books fit into the ConfigMap with everything else. */
const MOST = 16;

/** The setting `pricing`. */
export const CONTRACT_PRICES = v.pipe(
  v.array(PRICING, `a list of at most ${MOST} entries`),
  v.maxLength(MOST, `at most ${MOST} entries`),
);

/** The index of the entry that applies to a namespace; -1 for the list prices. */
export function pricingOf(namespace: string, pricing: readonly Pricing[]): number {
  return pricing.findIndex(({ namespaces }) => globs(namespaces)(namespace));
}

/**
 * The text of the price book file that an entry makes of `list`, the text of a valid one. Prices are rounded up to a billionth
 * of a dollar for a million tokens. The error says that the list lacks a model, or that a price is above the maximum.
 */
export function contractBook(list: string, pricing: Pricing): Result<string, string> {
  const file = JSON.parse(list) as BookFile;
  const { multiplier, regional, overrides, namespaces } = pricing;
  const missing = Object.keys(overrides).find((id) => file.models.every((model) => model.id !== id));
  if (missing !== undefined) return err(`overrides: the price book has no model ${missing}`);
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
  const problem = priceBookProblem(book);
  return problem === null ? ok(JSON.stringify(book)) : err(problem);
}

/** A row with all prices multiplied and everything else unchanged. */
function scaled(value: unknown, factors: readonly bigint[], name = ''): unknown {
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([field, member]) => [field, scaled(member, factors, field)]));
  }
  if (typeof value !== 'string' || name === 'from') return value;
  return formatUsd(factors.reduce<Nano>((price, factor) => ceilDiv(price * factor, GEO_UNIT), parseUsd(value)));
}
