import type { Refusal } from './refusals.ts';

/** The bytes [start, end) of the body. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What of a Messages request decides whether it may go and what it may cost at most. */
export interface RequestFacts {
  readonly model: string;
  readonly maxTokens: number;
  readonly stream: boolean;
  readonly bodyBytes: number;
  /** No prompt made from this body has more tokens. */
  readonly inputTokens: number;
  /** The longest-lived cache write that it asks for. */
  readonly cacheWrite: 'None' | 'FiveMinutes' | 'OneHour';
  readonly fast: boolean;
  /** `inference_geo` is anything but absent or "global". */
  readonly geoUs: boolean;
  /** `thinking.budget_tokens` where thinking is enabled with a budget. */
  readonly thinkingBudget: number | null;
  /** Where the values of `model` and `max_tokens` stand in the body. */
  readonly spans: { readonly model: Span; readonly maxTokens: Span };
}

/**
 * Reads the body of a Messages request: `BodyInvalid` where it is not one, `Unsupported` where it asks for something
 * whose cost has no bound here. A `Refusal` has a `reason`, facts have none. Never throws.
 */
export function readRequest(body: Uint8Array): RequestFacts | Refusal {
  throw new Error(String(body));
}
