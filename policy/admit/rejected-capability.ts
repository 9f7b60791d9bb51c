import type { Refusal } from '../refusals/refusals.ts';
import type { RequestFacts } from '../request/request.ts';

interface Capability {
  /** What it is in the body: the beginning or the end of a path. */
  readonly path: RegExp;
  /** The beta that lets it in, without its date. */
  readonly beta: string;
  /** The upstream's own code for its refusal. */
  readonly code?: string;
}

/** Parts of a request that a client can do without, by the beta that it takes back then. */
const CAPABILITIES: readonly Capability[] = [
  { path: /^thread\b/, beta: 'message-threads', code: 'thread_unsupported_request' },
  { path: /^fallbacks\b/, beta: 'server-side-fallback' },
  { path: /^fallback_credit_token\b/, beta: 'fallback-credit' },
  { path: /^mcp_servers\b/, beta: 'mcp-client' },
  { path: /^safeguards\b/, beta: 'dangerous-tool-use' },
  { path: /^context_hint\b/, beta: 'context-hint' },
  { path: /cache_control\.scope$/, beta: 'prompt-caching-scope' },
  { path: /cache_control\.evict$/, beta: 'prompt-caching-evict' },
];

/**
 * Says which capability of a request was refused, in the form that Claude Code looks for: it then sends the request again
 * without it, in place of ending the session. `paths`: what was refused in the body.
 */
export function rejectedCapability(refusal: Refusal, paths: readonly string[], { betas }: RequestFacts): Refusal {
  const rejected = CAPABILITIES.filter(({ path }) => paths.some((one) => path.test(one)));
  const code = rejected.find((one) => one.code !== undefined)?.code;
  const names = betas.filter(
    (beta) => paths.includes(`anthropic-beta ${beta}`) || rejected.some((one) => beta.startsWith(`${one.beta}-`)),
  );
  if (names.length === 0 && code === undefined) return refusal;
  const tokens = names.map((beta) => `capability_rejected: beta_header:${beta}`);
  return {
    ...refusal,
    message: tokens.length === 0 ? refusal.message : `${refusal.message} (${tokens.join(', ')})`,
    ...(code === undefined ? {} : { errorCode: code }),
  };
}
