/** A refusal as HTTP: status, headers and body in Anthropic's shape (DESIGN §6). */

import type { Refusal } from './refusals.ts';

/** The status that the caller gets. */
export function refusalStatus(refusal: Refusal): number {
  throw new Error(refusal.message);
}

/** The headers of a refusal, in lower case. */
export function refusalHeaders(refusal: Refusal, requestId: string): Readonly<Record<string, string>> {
  throw new Error(refusal.message + requestId);
}

/** The body of a refusal: JSON text in which money is printed with its decimals. */
export function refusalBody(refusal: Refusal, requestId: string): string {
  throw new Error(refusal.message + requestId);
}
