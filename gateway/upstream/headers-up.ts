import type { IncomingMessage } from 'node:http';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import { hopHeaders, type RawHeaders } from '../http/headers.ts';

// Only what the API needs goes up. What stands in front of the gateway adds headers of its own (assertions of who the
// caller is, addresses, keys of other products), and a list of what is withheld would never name them all.

/** Of the headers of a caller these go up, and no others. */
const PASSED = new Set([
  'accept',
  'traceparent',
  'tracestate',
  'user-agent',
  'x-anthropic-additional-protection',
  'x-app',
  'x-client-app',
  'x-client-request-id',
]);

/** And these, so that new headers of the API, of its SDKs and of Claude Code need no new release of Tollgate. */
const PASSED_FAMILY = /^(?:anthropic|x-claude-code|x-stainless)-/;

/** But not those that may choose who pays, for whom, or how: these are the workspace's to set, not its callers'. */
const CHOOSES =
  /^anthropic-(?:.*-)?(?:account|auth|authorization|billing|credential|customer|geo|key|model|org|organization|payer|priority|profile|project|region|secret|service|speed|tenant|tier|token|user|workspace)(?:-|$)/;

/**
 * The headers of the upstream call: the workspace's own, and those of the caller that are passed, but for those that carry
 * its attributes. The answer is requested uncompressed, because it is metered on the way.
 */
export function headersUp(
  { rawHeaders, headers }: IncomingMessage,
  { headers: attributes, upstreamKey, upstreamHeaders = {} }: ResolvedWorkspace,
): RawHeaders {
  const withheld = new Set([...Object.values(attributes), ...Object.keys(upstreamHeaders), ...hopHeaders(headers)]);
  const up: RawHeaders = ['x-api-key', upstreamKey ?? '', 'accept-encoding', 'identity'];
  for (const [name, value] of Object.entries(upstreamHeaders)) up.push(name, value);
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    if (isPassed(name) && !withheld.has(name)) up.push(name, rawHeaders[at + 1]!);
  }
  return up;
}

/** The same for a call with a body, which is UTF-8 JSON whatever the caller says of it: as that it was read and priced. */
export function jsonHeadersUp(req: IncomingMessage, workspace: ResolvedWorkspace): RawHeaders {
  return [...headersUp(req, workspace), 'content-type', 'application/json'];
}

function isPassed(name: string): boolean {
  return PASSED.has(name) || (PASSED_FAMILY.test(name) && !CHOOSES.test(name));
}
