import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import type { Attributes } from '../../policy/core/compiled-policy.ts';
import { isPlain, oneSpelling } from '../../policy/core/plain-text.ts';
import { err, ok, type Result } from '../../policy/core/result.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import type { RequestFacts } from '../../policy/request/request.ts';
import type { AuthenticatedCall } from '../http/call.ts';

/** What a caller says of itself. It counts only where the credential does not fix the attribute. */

const MAX_ATTRIBUTE_BYTES = 256;

/** The headers in which Claude Code says of what run a call is. */
const RUN_HEADERS = { session: 'x-claude-code-session-id', agent: 'x-claude-code-agent-id' };

/** As in a message. */
const RUN = /^[\w-]{1,100}$/;

/** The attributes that the caller claims in the headers that its workspace names, and those of its run. */
export function claimedByHeaders(
  headers: IncomingHttpHeaders,
  workspace: ResolvedWorkspace,
): Result<Attributes, Refusal> {
  const claimed: Record<string, string> = {};
  for (const [attribute, header] of Object.entries(workspace.headers)) {
    const value = headers[header];
    if (typeof value !== 'string' || value === '') continue;
    const name = nameIn(decoded(value));
    if (name === null) return err(refusalFor('AttributeInvalid'));
    claimed[attribute] = name;
  }
  for (const [attribute, header] of Object.entries(RUN_HEADERS)) {
    const value = headers[header];
    if (typeof value === 'string' && RUN.test(value)) claimed[attribute] = value;
  }
  return ok(claimed);
}

/** With the session and the user that `metadata.user_id` of a message names, where no header has; the user if the workspace takes it. */
export function claimedByMessage(
  { caller, claimed }: Pick<AuthenticatedCall, 'caller' | 'claimed'>,
  { session, metadataUser: user }: RequestFacts,
): Result<Attributes, Refusal> {
  if (session !== null) return ok({ session, ...claimed });
  const counts = caller.workspace.metadataUser === 'Claim' && !Object.hasOwn(claimed, 'user');
  if (!counts || user === null || user === '') return ok(claimed);
  const name = nameIn(user);
  return name === null ? err(refusalFor('AttributeInvalid')) : ok({ ...claimed, user: name });
}

/** In the spelling that specs have; null if it is too long or not plain. */
function nameIn(text: string): string | null {
  const name = oneSpelling(text);
  return Buffer.byteLength(name) > MAX_ATTRIBUTE_BYTES || !isPlain(name) ? null : name;
}

/** Node reads header bytes as Latin-1. Clients send names in UTF-8, or as `fetch` does in Latin-1: the same name in both. */
function decoded(value: string): string {
  const bytes = Buffer.from(value, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : value;
}
