import { planFree } from '../../policy/admit/plan.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import type { Refusal } from '../../policy/core/refusals.ts';
import { err, ok, type Result } from '../../policy/core/result.ts';
import { JsonInvalid, readJsonObject } from '../../policy/request/strict-json.ts';
import { forward, unanswered } from '../forward/forward.ts';
import { authenticate } from '../http/authenticate.ts';
import type { Exchange } from '../http/exchange.ts';
import { headersUp } from '../http/headers.ts';
import { type CallerGone, readBody } from '../http/read-body.ts';
import { pathUp, type Upstreams } from '../http/upstreams.ts';
import type { PolicySource } from '../policy/active-policy.ts';
import type { Metrics } from '../record/metrics.ts';

interface Parts {
  readonly policy: PolicySource;
  readonly upstreams: Upstreams;
  readonly metrics: Metrics;
}

/** `POST /v1/messages/count_tokens`: costs nothing and is never refused for money; the rest of the policy holds. */
export class CountTokens {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Never rejects for anything that a caller or the upstream does. */
  async serve(exchange: Exchange): Promise<void> {
    const refusal = await this.#pass(exchange);
    if (refusal === null || refusal === 'gone') return;
    this.#parts.metrics.countRefusal(refusal.reason);
    exchange.refuse(refusal);
  }

  async #pass(exchange: Exchange): Promise<Refusal | CallerGone | null> {
    const { req, res, route } = exchange;
    const identity = authenticate(req.headers, this.#parts.policy);
    if (!identity.ok) return identity.error;
    const { workspace } = identity.value.caller;
    exchange.memory.belongTo(refOf(workspace));
    const body = await readBody(exchange);
    if (!body.ok) return body.error;
    const model = modelOf(body.value);
    if (!model.ok) return model.error;
    const refusal = planFree(identity.value.caller, model.value);
    if (refusal !== null) return refusal;
    const upstream = this.#parts.upstreams.of(workspace);
    const ending = await forward({
      upstream: upstream.pool,
      path: pathUp(upstream, route),
      headers: headersUp(req, workspace),
      body: body.value,
      res,
      onAbort: 'Drop',
      stream: false,
      elapsed: () => 0,
      onAnswer: () => undefined,
      streamHeaders: () => [],
      answerHeaders: () => [],
    });
    if (res.headersSent || res.destroyed) return null;
    return unanswered(ending);
  }
}

function modelOf(body: Buffer): Result<string, Refusal> {
  try {
    const { model } = readJsonObject(body).fields as { model?: unknown };
    return typeof model === 'string' ? ok(model) : err({ reason: 'BodyInvalid', message: 'model: must be a string.' });
  } catch (error) {
    if (error instanceof JsonInvalid) return err({ reason: 'BodyInvalid', message: error.message });
    throw error;
  }
}
