import { pipeline } from 'node:stream/promises';
import type { Dispatcher } from 'undici';
import type { GatewayLedger } from '../../ledger/gateway-ledger.ts';
import type { BatchOwner } from '../../ledger/message-batches.ts';
import { planBatches } from '../../policy/admit/plan.ts';
import type { ResolvedWorkspace } from '../../policy/admit/resolved-workspace.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { isOwner } from '../../policy/core/owner.ts';
import { batchNotAtUpstream, noSuchBatch } from '../../policy/refusals/refusal-sentences.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import { type LedgerPatience, retryLedger } from '../admission/retry-ledger.ts';
import type { AuthenticatedCall } from '../http/call.ts';
import { MAX_ANSWER_BYTES, MAX_PAGE_BYTES, type Page, pageIn, readAnswer } from '../upstream/read-answer.ts';
import type { UpstreamKeys } from '../upstream/upstream-keys.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { BatchListing, type ListQuery, MAX_LIMIT } from './batch-listing.ts';
import { type BatchAnswer, sendBatch } from './batch-response.ts';

interface Parts extends LedgerPatience {
  readonly upstreams: Upstreams;
  readonly upstreamKeys: UpstreamKeys;
  readonly ledger: Pick<GatewayLedger, 'batchOwners'>;
}

const PATH = '/v1/messages/batches';
const DEFAULT_LIMIT = 20;

/**
 * Existing batches: a workspace sees those that it created, of all that its upstream key can see. One that was deleted and
 * made again has created none.
 */
export class BatchEndpoints {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** `GET /v1/messages/batches`. Resolves to null once it has answered. */
  list(call: AuthenticatedCall): Promise<Refusal | null> {
    return this.#serve(call, () => this.#list(call));
  }

  /** `GET`, `DELETE`, `…/results` and `…/cancel` of one batch. Resolves to null once it has answered. */
  one(call: AuthenticatedCall): Promise<Refusal | null> {
    return this.#serve(call, () => this.#one(call));
  }

  async #serve({ req, caller }: AuthenticatedCall, serve: () => Promise<Refusal | null>): Promise<Refusal | null> {
    req.resume();
    return planBatches(caller, false) ?? serve();
  }

  async #one(call: AuthenticatedCall): Promise<Refusal | null> {
    const { req, route, caller } = call;
    const { workspace } = caller;
    const [id = '', part] = route.path.slice(PATH.length + 1).split('/');
    const [owner] = await this.#owners([id]);
    if (!isOwner(workspace, owner)) return unknown(id, workspace);
    if (req.method === 'DELETE' && owner?.settled !== true) return refusalFor('BatchNotSettled');
    const answer = await this.#parts.upstreams.ask(call, route, { method: req.method as Dispatcher.HttpMethod });
    if (answer === null) return refusalFor('UpstreamUnreachable');
    if (part !== 'results' || answer.statusCode !== 200) return this.#sendText(call, id, part, answer);
    call.res.writeHead(200, call.headersDown(answer.headers));
    await pipeline(answer.body, call.res).catch(() => undefined); // if either side breaks off, the other's connection is closed as well
    return null;
  }

  async #sendText(
    call: AuthenticatedCall,
    id: string,
    part: string | undefined,
    answer: Dispatcher.ResponseData,
  ): Promise<Refusal | null> {
    const { workspace } = call.caller;
    const { statusCode: status, headers } = answer;
    const text = await readAnswer(answer, MAX_ANSWER_BYTES);
    if (text === null) return refusalFor('UpstreamUnreachable');
    const refusal = this.#parts.upstreamKeys.check(workspace, status);
    if (refusal !== null) return refusal;
    if (status === 404 && part !== 'results') return notThere(id, workspace);
    sendBatch(call, { status, headers, text }, []);
    return null;
  }

  async #list(call: AuthenticatedCall): Promise<Refusal | null> {
    const query = new URLSearchParams(call.route.query);
    const { workspace } = call.caller;
    const limit = Number(query.get('limit') ?? DEFAULT_LIMIT);
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
      return { reason: 'BodyInvalid', message: `limit must be from 1 to ${MAX_LIMIT}.` };
    }
    const isBackwards = query.has('before_id');
    const cursor = query.get(isBackwards ? 'before_id' : 'after_id');
    if (cursor !== null && !(await this.#owns(workspace, [cursor]))[0]) return unknown(cursor, workspace);
    return this.#collect(call, { limit, isBackwards, cursor });
  }

  async #collect(call: AuthenticatedCall, query: ListQuery): Promise<Refusal | null> {
    const listing = new BatchListing(query);
    for (;;) {
      const answer = await this.#page(call, listing.query);
      if (answer === null) return refusalFor('UpstreamUnreachable');
      const { page } = answer;
      const refusal = this.#parts.upstreamKeys.check(call.caller.workspace, answer.status);
      if (refusal !== null) return refusal;
      if (page !== null) {
        const ids = page.data.map(({ id }) => id);
        listing.add(page, await this.#owns(call.caller.workspace, ids));
        if (!listing.isWhole && !call.hasLeft) continue;
      }
      sendBatch(call, page === null ? answer : { ...answer, text: listing.text }, []);
      return null;
    }
  }

  #owners(ids: readonly string[]): Promise<readonly (BatchOwner | null)[]> {
    return retryLedger(() => this.#parts.ledger.batchOwners(ids), this.#parts);
  }

  async #owns(workspace: ResolvedWorkspace, ids: readonly string[]): Promise<boolean[]> {
    const owners = ids.length === 0 ? [] : await this.#owners(ids);
    return owners.map((owner) => isOwner(workspace, owner));
  }

  /** Null if there is no answer; `page` is null if the answer is an error, or no page. */
  async #page(call: AuthenticatedCall, query: string): Promise<(BatchAnswer & { readonly page: Page | null }) | null> {
    const answer = await this.#parts.upstreams.ask(call, { ...call.route, query });
    const text = answer && (await readAnswer(answer, MAX_PAGE_BYTES));
    if (answer === null || text === null) return null;
    const { statusCode: status, headers } = answer;
    return { status, headers, text, page: status === 200 ? pageIn(text) : null };
  }
}

function notThere(id: string, workspace: ResolvedWorkspace): Refusal {
  const { origin } = new URL(workspace.baseURL);
  return { reason: 'NotFound', message: batchNotAtUpstream(id, refOf(workspace), origin) };
}

function unknown(id: string, workspace: ResolvedWorkspace): Refusal {
  return { reason: 'NotFound', message: noSuchBatch(id, refOf(workspace)) };
}
