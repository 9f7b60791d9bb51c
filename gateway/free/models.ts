import type { Caller } from '../../policy/admit/caller.ts';
import type { Refusal } from '../../policy/core/refusals.ts';
import { authenticate } from '../http/authenticate.ts';
import type { Exchange } from '../http/exchange.ts';
import { headersDown, headersUp } from '../http/headers.ts';
import { refusalFor } from '../http/send-refusal.ts';
import { pathUp, type Upstreams } from '../http/upstreams.ts';
import type { PolicySource } from '../policy/active-policy.ts';

interface Parts {
  readonly policy: PolicySource;
  readonly upstreams: Upstreams;
}

interface Page {
  readonly data: readonly { readonly id: string }[];
}

/** `GET /v1/models` and `/v1/models/{id}`: the upstream's answer, as far as the workspace allows the models. */
export class Models {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Never rejects for anything that a caller or the upstream does. */
  async serve(exchange: Exchange): Promise<void> {
    const refusal = await this.#pass(exchange);
    if (refusal !== null) exchange.refuse(refusal);
  }

  async #pass({ req, res, route }: Exchange): Promise<Refusal | null> {
    const identity = authenticate(req.headers, this.#parts.policy);
    if (!identity.ok) return identity.error;
    const { caller } = identity.value;
    const { workspace } = caller;
    if (workspace.upstreamKey === null) return refusalFor('UpstreamKeyMissing');
    const one = route.path.slice('/v1/models/'.length);
    if (one !== '' && !caller.allows(one)) return refusalFor('NotFound');
    const upstream = this.#parts.upstreams.of(workspace);
    const answer = await upstream.pool
      .request({ path: pathUp(upstream, route), method: 'GET', headers: headersUp(req, workspace) })
      .then(async ({ statusCode, headers, body }) => {
        const text = await body.text();
        return { statusCode, headers, text: statusCode === 200 && one === '' ? allowed(text, caller) : text };
      })
      .catch(() => null); // no connection, or no page of models
    if (answer === null) return refusalFor('UpstreamUnreachable');
    const length = ['content-length', String(Buffer.byteLength(answer.text))];
    res.writeHead(answer.statusCode, [...headersDown(answer.headers), ...length]);
    res.end(answer.text);
    return null;
  }
}

/** The page without the models that are not allowed. Throws for what is no page. */
function allowed(text: string, caller: Caller): string {
  const page = JSON.parse(text) as Page;
  const data = page.data.filter(({ id }) => caller.allows(id));
  return JSON.stringify({ ...page, data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null });
}
