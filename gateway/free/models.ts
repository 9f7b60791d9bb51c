import type { IncomingHttpHeaders } from 'node:http';
import { disallowed } from '../../policy/admit/model-refusal.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import { textHeadersDown } from '../http/headers-down.ts';
import { headersUp } from '../upstream/headers-up.ts';
import { MAX_PAGE_BYTES, readAnswer } from '../upstream/read-answer.ts';
import type { UpstreamKeys } from '../upstream/upstream-keys.ts';
import { pathUp, type Upstreams } from '../upstream/upstreams.ts';
import { allowedPage, type ModelPage, pageRequest } from './model-pages.ts';

interface Answer {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/**
 * `GET /v1/models` and `/v1/models/{id}`: what the upstream has of the models that the caller may use. Resolves to null
 * once it has answered.
 */
export async function serveModels(
  call: AuthenticatedCall,
  upstreams: Upstreams,
  upstreamKeys: UpstreamKeys,
): Promise<Refusal | null> {
  const { req, res, route, caller, claimed, headersDown } = call;
  const { workspace } = caller;
  if (workspace.upstreamKey === null) return refusalFor('UpstreamKeyMissing');
  const one = route.path.slice('/v1/models/'.length);
  const notAllowed = one === '' ? null : disallowed(call, one);
  if (notAllowed !== null) return { ...notAllowed, reason: 'NotFound' };
  const upstream = upstreams.of(workspace);
  const headers = headersUp(req, workspace);
  const ask = async (query: string): Promise<Answer> => {
    const path = pathUp(upstream, { ...route, query });
    const answer = await upstream.pool.request({ path, method: 'GET', headers });
    const text = await readAnswer(answer, MAX_PAGE_BYTES);
    if (text === null) throw new Error('the upstream’s answer broke off');
    return { ...answer, text };
  };
  const list = (): Promise<Answer> => answerOf(route.query, (model) => caller.allows(model, claimed), ask);
  const answer = await (one === '' ? list() : ask(route.query)).catch(() => null); // no connection, or no page of models
  if (answer === null) return refusalFor('UpstreamUnreachable');
  const refusal = upstreamKeys.check(workspace, answer.statusCode);
  if (refusal !== null) return refusal;
  res.writeHead(answer.statusCode, textHeadersDown(headersDown, answer.headers, answer.text));
  res.end(answer.text);
  return null;
}

/** The list as the caller may see it; an upstream's answer that is no page is handed on. Rejects if it cannot be read. */
async function answerOf(
  query: string,
  allows: (model: string) => boolean,
  ask: (query: string) => Promise<Answer>,
): Promise<Answer> {
  let last: Answer | null = null;
  const page = await allowedPage(pageRequest(query), allows, async (asked) => {
    last = await ask(`?${asked.toString()}`);
    return last.statusCode === 200 ? (JSON.parse(last.text) as ModelPage) : null;
  });
  return page === null ? last! : { ...last!, text: JSON.stringify(page) };
}
