import type { Caller } from '../../policy/admit/caller.ts';
import { type Refusal, refusalFor } from '../../policy/core/refusals.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import { textHeadersDown } from '../http/headers-down.ts';
import { headersUp } from '../http/headers-up.ts';
import { MAX_PAGE_BYTES, readAnswer } from '../http/read-answer.ts';
import { pathUp, type Upstreams } from '../http/upstreams.ts';

interface Page {
  readonly data: readonly { readonly id: string }[];
}

/**
 * `GET /v1/models` and `/v1/models/{id}`: the upstream's answer, as far as the workspace allows the models. Resolves to
 * null once it has answered.
 */
export async function serveModels(
  { req, res, route, caller, headersDown }: AuthenticatedCall,
  upstreams: Upstreams,
): Promise<Refusal | null> {
  const { workspace } = caller;
  if (workspace.upstreamKey === null) return refusalFor('UpstreamKeyMissing');
  const one = route.path.slice('/v1/models/'.length);
  if (one !== '' && !caller.allows(one)) return refusalFor('NotFound');
  const upstream = upstreams.of(workspace);
  const answer = await upstream.pool
    .request({ path: pathUp(upstream, route), method: 'GET', headers: headersUp(req, workspace) })
    .then(async (page) => {
      const { statusCode, headers } = page;
      const text = await readAnswer(page, MAX_PAGE_BYTES);
      if (text === null) return null;
      return { statusCode, headers, text: statusCode === 200 && one === '' ? allowed(text, caller) : text };
    })
    .catch(() => null); // no connection, or no page of models
  if (answer === null) return refusalFor('UpstreamUnreachable');
  res.writeHead(answer.statusCode, textHeadersDown(headersDown, answer.headers, answer.text));
  res.end(answer.text);
  return null;
}

/** The page without the models that are not allowed. Throws if it is no page. */
function allowed(text: string, caller: Caller): string {
  const page = JSON.parse(text) as Page;
  const data = page.data.filter(({ id }) => caller.allows(id));
  return JSON.stringify({ ...page, data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null });
}
