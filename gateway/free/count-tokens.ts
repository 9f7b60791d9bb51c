import { planFree } from '../../policy/admit/plan.ts';
import type { Refusal } from '../../policy/core/refusals.ts';
import { modelReading } from '../../policy/request/model-reading.ts';
import { forward, unanswered } from '../forward/forward.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import { jsonHeadersUp } from '../http/headers-up.ts';
import { type CallerGone, readBody } from '../http/read-body.ts';
import type { ReadingTurns } from '../http/reading-turns.ts';
import type { UpstreamKeys } from '../http/upstream-keys.ts';
import { pathUp, type Upstreams } from '../http/upstreams.ts';

/**
 * `POST /v1/messages/count_tokens`: costs nothing and is never refused for money; the rest of the policy applies.
 * Resolves to null once it has answered.
 */
export async function serveCountTokens(
  call: AuthenticatedCall,
  upstreams: Upstreams,
  upstreamKeys: UpstreamKeys,
  readingTurns: ReadingTurns,
): Promise<Refusal | CallerGone | null> {
  const { req, res, route, caller, headersDown } = call;
  const body = await readBody(call);
  if (!body.ok) return body.error;
  const read = await readingTurns.run(call, modelReading(body.value));
  if (!read.ok) return read.error;
  const model = read.value;
  if (!model.ok) return model.error;
  const refusal = planFree(caller, model.value);
  if (refusal !== null) return refusal;
  const upstream = upstreams.of(caller.workspace);
  const ending = await forward({
    upstream: upstream.pool,
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
  return res.headersSent || res.destroyed ? null : unanswered(ending, caller.workspace);
}
