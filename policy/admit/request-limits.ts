/** What a workspace's guards make of a call: refused, or sent with the edits that they ask for. */

import type { Guards } from '../core/compiled-policy.ts';
import { MOST_NANO } from '../core/money.ts';
import { inputTooLong, requestTooExpensive, thinkingTooLong, unbounded } from '../core/refusal-sentences.ts';
import type { RefusalReason } from '../core/refusals.ts';
import { unboundedParts, promptBound, worstCost } from '../cost/worst-cost.ts';
import type { PriceBook, Rate } from '../prices/price-book.ts';
import type { RequestFacts } from '../request/request.ts';
import type { Span } from '../request/strict-json.ts';

/** The bytes [start, end) of the body are replaced by `text` (ASCII JSON); an empty span has it put in there. */
export interface Edit extends Span {
  readonly text: string;
}

/** A call within the guards, and how the body changes for it. */
export interface LimitedRequest {
  readonly kind: 'Guarded';
  /** What is sent. */
  readonly facts: RequestFacts;
  /** What it costs at most; of a call without a bound, what the workspace sets aside for it. Nano-dollars. */
  readonly worstNano: bigint;
  /** Paths in the body of what has no bound. */
  readonly loose: readonly string[];
  readonly edits: readonly Edit[];
}

/** What a guard says no with. */
export interface LimitExceeded {
  readonly kind: 'Blocked';
  readonly reason: RefusalReason;
  readonly message: string;
}

/** Applies the guards at the prices of an instant (milliseconds). `rate`: that of the model. */
export function applyRequestLimits(
  asked: RequestFacts,
  guards: Guards,
  { rate, book, at }: { readonly rate: Rate; readonly book: PriceBook; readonly at: number },
): LimitedRequest | LimitExceeded {
  const { maxInputTokens = Infinity, maxOutputTokens = Infinity, maxToolUses = Infinity } = guards;
  const { thinkingBudget } = asked;
  const input = promptBound(asked, rate);
  if (input > maxInputTokens) return blocked('InputTooLong', inputTooLong(input, maxInputTokens));
  if (asked.maxTokens > maxOutputTokens && thinkingBudget !== null && thinkingBudget >= maxOutputTokens) {
    return blocked('ThinkingTooLong', thinkingTooLong(thinkingBudget, maxOutputTokens));
  }
  const lowered = [withOutput(maxOutputTokens), withToolUses(maxToolUses)].reduce<Lowered>(
    (before, lower) => lower(before),
    { facts: asked, edits: [] },
  );
  return bounded(lowered, guards, worstCost(lowered.facts, book, at));
}

interface Lowered {
  readonly facts: RequestFacts;
  readonly edits: readonly Edit[];
}

function bounded({ facts, edits }: Lowered, guards: Guards, certainNano: bigint): LimitedRequest | LimitExceeded {
  const { maxRequestNano = MOST_NANO, unboundedRequestNano } = guards;
  const loose = unboundedParts(facts);
  if (loose.length > 0 && unboundedRequestNano === undefined) return blocked('Unbounded', unbounded(loose));
  const assumedNano = loose.length > 0 ? (unboundedRequestNano ?? 0n) : 0n;
  const worstNano = certainNano > assumedNano ? certainNano : assumedNano;
  if (worstNano > maxRequestNano) {
    return blocked('RequestTooExpensive', requestTooExpensive(worstNano, maxRequestNano));
  }
  const inOrder = edits.toSorted((a, b) => a.start - b.start);
  return { kind: 'Guarded', facts, worstNano, loose, edits: inOrder };
}

function withOutput(most: number): (before: Lowered) => Lowered {
  return ({ facts, edits }) => {
    const fallbacks = facts.fallbacks.map((one) => ({
      ...one,
      maxTokens: one.maxTokens !== null && one.maxTokens > most ? most : one.maxTokens,
    }));
    const spans = [
      ...(facts.maxTokens > most ? [facts.maxTokensSpan] : []),
      ...facts.fallbacks.flatMap(({ maxTokens, maxTokensSpan }) =>
        maxTokens !== null && maxTokens > most ? [maxTokensSpan] : [],
      ),
    ];
    return {
      facts: { ...facts, maxTokens: Math.min(facts.maxTokens, most), fallbacks },
      edits: [...edits, ...spans.map((span) => ({ ...span, text: String(most) }))],
    };
  };
}

/** Where a tool says no `max_uses` it is written into its definition. */
function withToolUses(most: number): (before: Lowered) => Lowered {
  return ({ facts, edits }) => {
    if (most === Infinity) return { facts, edits };
    const serverTools = facts.serverTools.map((tool) => {
      const isLowered = tool.maxUsesSpan !== null && (tool.maxUses === null || tool.maxUses > most);
      return { tool: isLowered ? { ...tool, maxUses: most } : tool, span: isLowered ? tool.maxUsesSpan : null };
    });
    const written = serverTools.flatMap(({ span }) => {
      if (span === null) return [];
      return [{ ...span, text: span.start === span.end ? `"max_uses":${most},` : String(most) }];
    });
    return { facts: { ...facts, serverTools: serverTools.map(({ tool }) => tool) }, edits: [...edits, ...written] };
  };
}

function blocked(reason: RefusalReason, message: string): LimitExceeded {
  return { kind: 'Blocked', reason, message };
}
