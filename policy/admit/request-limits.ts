/** Applies the request limits of a workspace (`guards`) to a call: it is refused, or sent with the edits that they ask for. */

import type { Guards } from '../core/compiled-policy.ts';
import { max, MAX_CALL_NANO, type Nano, ZERO } from '../core/money.ts';
import { err, ok, type Result } from '../core/result.ts';
import { attemptsOf, promptBound, unboundedPaths, worstCost } from '../cost/worst-cost.ts';
import type { Span } from '../json/value-spans.ts';
import type { PriceBook, Rate } from '../prices/price-book.ts';
import { inputTooLong, requestTooExpensive, thinkingTooLong, unbounded } from '../refusals/refusal-sentences.ts';
import type { Refusal } from '../refusals/refusals.ts';
import type { RequestFacts } from '../request/request.ts';
import { pathsOf, unknownIn } from './unknown-names.ts';

/** Replaces the bytes [start, end) of the body by `text` (ASCII JSON); an empty span is an insertion. */
export interface Edit extends Span {
  readonly text: string;
}

/** A call within the limits, with the edits of its body in ascending order. */
export interface LimitedRequest {
  /** The request as it will be sent. */
  readonly facts: RequestFacts;
  /** Its maximum cost; for a call without a maximum, at least `guards.unboundedRequestUsd`. Nano-dollars. */
  readonly worstNano: Nano;
  /** Paths in the body of what has no bound. */
  readonly unbounded: readonly string[];
  readonly edits: readonly Edit[];
}

/** Applies the limits at the prices of an instant (milliseconds). `rate` is that of the model. */
export function applyRequestLimits(
  facts: RequestFacts,
  guards: Guards,
  { rate, book, at }: { readonly rate: Rate; readonly book: PriceBook; readonly at: number },
): Result<LimitedRequest, Refusal> {
  const { maxInputTokens = Infinity, maxOutputTokens = Infinity, maxToolUses = Infinity } = guards;
  const input = promptBound(facts, rate);
  if (input > maxInputTokens) return err({ reason: 'InputTooLong', message: inputTooLong(input, maxInputTokens) });
  const thinking = thinkingAbove(maxOutputTokens, facts);
  if (thinking !== null) return err({ reason: 'ThinkingTooLong', message: thinkingTooLong(thinking, maxOutputTokens) });
  const lowered = lowerToolUses(maxToolUses, lowerMaxTokens(maxOutputTokens, { facts, edits: [] }));
  return limitCost(lowered, guards, worstCost(lowered.facts, book, at));
}

type EditedRequest = Pick<LimitedRequest, 'facts' | 'edits'>;

function limitCost(
  { facts, edits }: EditedRequest,
  { maxRequestNano = MAX_CALL_NANO, unboundedRequestNano }: Guards,
  boundedNano: Nano,
): Result<LimitedRequest, Refusal> {
  const paths = unboundedPaths(facts);
  if (paths.length > 0 && unboundedRequestNano === undefined) {
    return err({ reason: 'Unbounded', message: unbounded(paths) });
  }
  const assumedNano = paths.length > 0 ? (unboundedRequestNano ?? ZERO) : ZERO;
  const worstNano = max(boundedNano, assumedNano);
  if (worstNano > maxRequestNano) {
    const message = requestTooExpensive(worstNano, maxRequestNano, pathsOf(facts.unknown));
    return err({ reason: 'RequestTooExpensive', message, ...unknownIn(facts) });
  }
  return ok({ facts, worstNano, unbounded: paths, edits: edits.toSorted((a, b) => a.start - b.start) });
}

/**
 * The first thinking budget of an attempt that does not fit into the limit, null if all do. A `max_tokens` that is
 * lowered to the limit must stay above the budget, or the upstream refuses the request.
 */
function thinkingAbove(limit: number, facts: RequestFacts): number | null {
  const tooLong = attemptsOf(facts).find(
    ({ thinkingBudget, maxTokens }) =>
      thinkingBudget !== null && (maxTokens > limit ? thinkingBudget >= limit : thinkingBudget > limit),
  );
  return tooLong?.thinkingBudget ?? null;
}

function lowerMaxTokens(limit: number, { facts, edits }: EditedRequest): EditedRequest {
  const isOver = (tokens: number | null): boolean => tokens !== null && tokens > limit;
  const fallbacks = facts.fallbacks.map((one) => (isOver(one.maxTokens) ? { ...one, maxTokens: limit } : one));
  const spans = [facts, ...facts.fallbacks].flatMap((one) => (isOver(one.maxTokens) ? [one.maxTokensSpan] : []));
  return {
    facts: { ...facts, maxTokens: Math.min(facts.maxTokens, limit), fallbacks },
    edits: [...edits, ...spans.map((span) => ({ ...span, text: String(limit) }))],
  };
}

/** A tool without `max_uses` gets one written into its definition. */
function lowerToolUses(limit: number, { facts, edits }: EditedRequest): EditedRequest {
  if (limit === Infinity) return { facts, edits };
  const tools = facts.serverTools.map((tool) => {
    const isOver = tool.maxUsesSpan !== null && (tool.maxUses === null || tool.maxUses > limit);
    return { tool: isOver ? { ...tool, maxUses: limit } : tool, span: isOver ? tool.maxUsesSpan : null };
  });
  const written = tools.flatMap(({ span }) => {
    if (span === null) return [];
    return [{ ...span, text: span.start === span.end ? `"max_uses":${limit},` : String(limit) }];
  });
  return { facts: { ...facts, serverTools: tools.map(({ tool }) => tool) }, edits: [...edits, ...written] };
}
