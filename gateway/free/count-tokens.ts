import type { Dispatcher } from 'undici';
import { planFree } from '../../policy/admit/plan.ts';
import type { Refusal } from '../../policy/refusals/refusals.ts';
import { countReading } from '../../policy/request/count-reading.ts';
import type { StoredFiles } from '../admission/stored-files.ts';
import { forward, type ForwardEnd, unanswered } from '../forward/forward.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import { type CallerGone, readBody } from '../http/read-body.ts';
import type { ReadingTurns } from '../http/reading-turns.ts';
import { jsonHeadersUp } from '../upstream/headers-up.ts';
import type { UpstreamKeys } from '../upstream/upstream-keys.ts';
import { pathUp, type Upstreams } from '../upstream/upstreams.ts';

interface Parts {
  readonly upstreams: Upstreams;
  readonly upstreamKeys: UpstreamKeys;
  readonly readingTurns: ReadingTurns;
  readonly storedFiles: StoredFiles;
}

/**
 * `POST /v1/messages/count_tokens`: costs nothing and is never refused for money; the rest of the policy applies.
 * Resolves to null once it has answered.
 */
export async function serveCountTokens(
  call: AuthenticatedCall,
  { upstreams, upstreamKeys, readingTurns, storedFiles }: Parts,
): Promise<Refusal | CallerGone | null> {
  const { req, res, route, caller, headersDown } = call;
  const body = await readBody(call);
  if (!body.ok) return body.error;
  const read = await readingTurns.run(call, countReading(body.value));
  if (!read.ok) return read.error;
  if (!read.value.ok) return read.value.error;
  const { model, files } = read.value.value;
  const refusal = planFree(call, { model, files }) ?? (await storedFiles.refuseForeign(caller.workspace, files));
  if (refusal !== null) return refusal;
  const upstream = upstreams.of(caller.workspace);
  const send = (dispatcher: Dispatcher): Promise<ForwardEnd> =>
    forward({
      upstream: dispatcher,
      path: pathUp(upstream, route),
      headers: jsonHeadersUp(req, caller.workspace),
      body: [body.value],
      res,
      onAbort: 'Drop',
      stream: false,
      headersDown,
      elapsed: () => 0,
      onAnswer: (status) => void upstreamKeys.check(caller.workspace, status),
      streamHeaders: () => [],
      answerHeaders: () => [],
    });
  let end = await send(upstream.pool);
  // It costs nothing, so it may be sent twice.
  if (end.isStale && !res.destroyed) end = await send(upstream.fresh);
  return res.headersSent || res.destroyed ? null : unanswered(end, caller.workspace);
}
