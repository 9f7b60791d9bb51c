/** What each attempt of a request may ask for: output, thinking and speed, of the request itself and of its fallbacks. */

import { countAt, invalid, isGiven, listAt, modelAt, objectAt, objectOrNone } from '../json/json-access.ts';
import type { Span, ValueSpans } from '../json/value-spans.ts';
import { FALLBACK } from './shape.ts';
import type { UnknownNames } from './unknown-names.ts';

export interface Fallback {
  readonly model: string;
  /** Null for the request's own. */
  readonly maxTokens: number | null;
  readonly maxTokensSpan: Span;
  readonly fast: boolean;
  /** Its own thinking budget, or the request's if it has no `thinking` of its own. */
  readonly thinkingBudget: number | null;
}

/** More than there are models, and few enough to find each entry in the body. */
const MAX_FALLBACKS = 32;

interface Around {
  /** That of the request. */
  readonly thinkingBudget: number | null;
  readonly spans: ValueSpans;
  readonly unknown: UnknownNames;
}

/** The models of the chain, each of which may be tried. With `default` the API chooses, so the chain is unbounded. */
export function readFallbacks(value: unknown, { thinkingBudget, spans, unknown }: Around): readonly Fallback[] {
  if (value === undefined || value === null || value === 'default') return [];
  const entries = listAt(value, 'fallbacks');
  if (entries.length > MAX_FALLBACKS) throw invalid(`fallbacks must have at most ${MAX_FALLBACKS} entries.`);
  return entries.map((entry, i) => {
    const path = `fallbacks[${i}]`;
    const fallback = objectAt(entry, path);
    unknown.addFields(fallback, FALLBACK, path);
    const own = fallback['max_tokens'] ?? null;
    return {
      model: modelAt(fallback['model'], `${path}.model`),
      maxTokens: own === null ? null : readMaxTokens(own, `${path}.max_tokens`),
      maxTokensSpan: spans.in('fallbacks', i),
      fast: readFast(fallback['speed'], `${path}.speed`, unknown),
      thinkingBudget: isGiven(fallback['thinking'])
        ? readThinking(fallback['thinking'], `${path}.thinking`, unknown)
        : thinkingBudget,
    };
  });
}

/** Far above any model's maximum, and small enough that the ledger can hold the cost. */
const MAX_TOKENS = 1_000_000_000;

export function readMaxTokens(value: unknown, path: string): number {
  const tokens = countAt(value, path);
  if (tokens > MAX_TOKENS) throw invalid(`${path} must be at most ${MAX_TOKENS}.`);
  return tokens;
}

export function readFast(value: unknown, path: string, unknown: UnknownNames): boolean {
  unknown.addValue(value, ['standard', 'fast'], path);
  return value === 'fast';
}

/** Thinking without a budget counts against `max_tokens`. A budget counts with every type: it is never free. */
export function readThinking(value: unknown, path: string, unknown: UnknownNames): number | null {
  if (!isGiven(value)) return null;
  const thinking = objectOrNone(value);
  const type = thinking['type'];
  unknown.addValue(type, ['enabled', 'disabled', 'adaptive', 'between_tools'], `${path}.type`);
  const budget = thinking['budget_tokens'];
  return type !== 'enabled' && !isGiven(budget) ? null : readMaxTokens(budget, `${path}.budget_tokens`);
}
