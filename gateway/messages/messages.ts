import { type Plan, plan } from '../../policy/admit/plan.ts';
import type { Edit } from '../../policy/admit/request-limits.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { err, ok, type Result } from '../../policy/core/result.ts';
import { type Ending, isFree } from '../../policy/cost/ending-cost.ts';
import { isSingleInference } from '../../policy/cost/worst-cost.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import type { FieldSpan } from '../../policy/request/prompt-fields.ts';
import { requestReading } from '../../policy/request/request.ts';
import { planToReservation } from '../admission/plan-to-reservation.ts';
import type { Settler } from '../admission/settler.ts';
import type { StoredFiles } from '../admission/stored-files.ts';
import { queueKeysOf } from '../admission/wait-queue.ts';
import { forward, type ForwardEnd, unanswered } from '../forward/forward.ts';
import type { Metered } from '../forward/meter.ts';
import type { TokensPerByte } from '../forward/tokens-per-byte.ts';
import type { AdmittedCall, AuthenticatedCall, Clocks, ReadCall } from '../http/call.ts';
import type { FreeCalls } from '../http/free-calls.ts';
import { betasOf } from '../http/headers.ts';
import { type CallerGone, readBody } from '../http/read-body.ts';
import type { ReadingTurns } from '../http/reading-turns.ts';
import { claimedByMessage } from '../pipeline/claims.ts';
import type { PaidEndpoint } from '../pipeline/pipeline.ts';
import { billedFigures, callCost, type EndedCost } from '../record/call-cost.ts';
import type { CallLog } from '../record/call-log.ts';
import { costHeaders } from '../record/cost-headers.ts';
import { type CallOutcome, spenderOf } from '../record/ended-call.ts';
import type { Metrics } from '../record/metrics.ts';
import { usageRecord } from '../record/usage-record.ts';
import { jsonHeadersUp } from '../upstream/headers-up.ts';
import type { UpstreamKeys } from '../upstream/upstream-keys.ts';
import { pathUp, type Upstreams } from '../upstream/upstreams.ts';
import type { ExpectedCosts } from './expected-cost.ts';
import { countPromptTokens } from './prompt-count.ts';

interface Parts extends Pick<Clocks, 'elapsed'> {
  readonly upstreams: Upstreams;
  readonly upstreamKeys: UpstreamKeys;
  readonly readingTurns: ReadingTurns;
  readonly freeCalls: FreeCalls;
  readonly storedFiles: StoredFiles;
  readonly settler: Settler;
  readonly tokensPerByte: TokensPerByte;
  readonly expectedCosts: ExpectedCosts;
  readonly metrics: Metrics;
  readonly callLog: CallLog;
  readonly settings: Settings;
}

interface MessageCall extends ReadCall {
  readonly body: Buffer;
  readonly prompt: readonly FieldSpan[];
}

/** What became of a call upstream. */
interface Forwarded extends Pick<CallOutcome, 'status' | 'requestId' | 'firstByteMs'> {
  readonly end: ForwardEnd;
  readonly cost: EndedCost;
}

/** `POST /v1/messages`. */
export class Messages implements PaidEndpoint<MessageCall, Forwarded> {
  readonly mayGoUnchecked = true;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  async read(call: AuthenticatedCall): Promise<Result<MessageCall, Refusal | CallerGone>> {
    const body = await readBody(call);
    if (!body.ok) return body;
    const read = await this.#parts.readingTurns.run(call, requestReading(body.value, betasOf(call.req.headers)));
    if (!read.ok) return read;
    if (!read.value.ok) return read.value;
    const { facts, prompt, memory } = read.value.value;
    const claimed = claimedByMessage(call, facts);
    if (!claimed.ok) return claimed;
    if (!call.memory.grow(memory)) return err(refusalFor('BodyMemoryFull'));
    const expectedNano = this.#parts.expectedCosts.of(refOf(call.caller.workspace), facts.model);
    return ok(Object.assign(call, { body: body.value, facts, prompt, expectedNano, claimed: claimed.value }));
  }

  plan(call: MessageCall, at: number, countedTokens: number | null): Plan {
    return plan(call, at, this.#parts.settings, countedTokens);
  }

  countTokens(call: MessageCall): Promise<number | null> {
    const { upstreams, freeCalls } = this.#parts;
    return countPromptTokens(call, upstreams.of(call.caller.workspace), freeCalls);
  }

  async forward(call: MessageCall & AdmittedCall): Promise<Forwarded> {
    const { metrics, settings, upstreams, upstreamKeys, storedFiles, elapsed } = this.#parts;
    const { req, res, route, arrived, caller, plan, headersDown } = call;
    const { workspace } = caller;
    const upstream = upstreams.of(workspace);
    const sentAt = elapsed();
    // Where Anthropic runs tools, it bills prompts that a stream mentions only at its end, and code may make files.
    const runsTools = !isSingleInference(plan.facts);
    let answer: Pick<Forwarded, 'status' | 'requestId' | 'firstByteMs'> = UNANSWERED;
    let cost: EndedCost | null = null;
    if (call.isSecondAttempt) metrics.countRetry(refOf(workspace));
    else metrics.observeAdded((sentAt - arrived) / 1000);
    metrics.openStreams.inc();
    const ending = forward({
      upstream: call.isSecondAttempt ? upstream.fresh : upstream.pool,
      path: pathUp(upstream, route),
      headers: jsonHeadersUp(req, workspace),
      body: applyEdits(call.body, plan.edits),
      res,
      onAbort: runsTools ? 'Drain' : settings.onAbort,
      stream: plan.facts.stream,
      headersDown,
      elapsed,
      onMadeFiles: runsTools && workspace.files === 'Allow' ? (ids) => void storedFiles.keepMade(workspace, ids) : null,
      onAnswer: (status, headers) => {
        const refusal = upstreamKeys.check(workspace, status);
        if (refusal !== null) metrics.countRefusal(refusal.reason, refOf(workspace));
        const firstByteMs = elapsed() - sentAt;
        answer = { status, requestId: headers['request-id']?.toString() ?? null, firstByteMs };
        metrics.observeFirstByte(refOf(workspace), firstByteMs / 1000);
      },
      streamHeaders: () => costHeaders(call, null),
      answerHeaders: (end) => {
        cost = this.#costOf(call, end);
        return costHeaders(call, cost);
      },
    });
    metrics.begin(spenderOf(call, plan.facts.model)); // after sending, so that it delays nothing
    metrics.countUnknown(refOf(workspace), plan.facts.unknown);
    const end = await ending.finally(() => metrics.openStreams.dec());
    return { end, cost: cost ?? this.#costOf(call, end), ...answer };
  }

  finish(call: MessageCall & AdmittedCall, forwarded: Forwarded): Promise<void> {
    if (!call.res.headersSent) call.refuse(unanswered(forwarded.end, call.caller.workspace));
    return this.#endReservation(call, forwarded);
  }

  endStale(call: MessageCall & AdmittedCall, forwarded: Forwarded): Promise<void> | null {
    const { end, cost } = forwarded;
    return end.isStale && RETRIED.has(cost.ending) ? this.#endReservation(call, forwarded) : null;
  }

  #endReservation(call: MessageCall & AdmittedCall, forwarded: Forwarded): Promise<void> {
    return isFree(forwarded.cost.ending) ? this.#release(call, forwarded) : this.#settle(call, forwarded);
  }

  #release(call: MessageCall & AdmittedCall, forwarded: Forwarded): Promise<void> {
    const { settler, metrics, callLog } = this.#parts;
    const { ending, model } = forwarded.cost;
    const ended = callLog.end(call, outcomeOf(forwarded));
    metrics.countCall(spenderOf(call, model), ending);
    return settler.release(call.id, queueKeysOf(call.plan.checks), usageRecord(ended));
  }

  async #settle(call: MessageCall & AdmittedCall, forwarded: Forwarded): Promise<void> {
    const { settler, metrics, callLog, settings } = this.#parts;
    const { id, plan } = call;
    const { end, cost } = forwarded;
    const spender = spenderOf(call, cost.model);
    this.#learn(call, end.metered, cost, spender.model);
    const ended = callLog.end(call, outcomeOf(forwarded));
    metrics.countSpending({
      spender,
      ending: cost.ending,
      ...billedFigures(call, cost),
      worstNano: plan.worstNano,
      usage: cost.usage,
      seconds: ended.durationMs / 1000,
    });
    const { costNano, presumedNano, releases } = cost;
    const settlement = { id, costNano, presumedNano, releases, record: usageRecord(ended) };
    const kept = settings.ledgerLoss === 'Open' ? planToReservation(call, plan) : undefined;
    await settler.settle(settlement, queueKeysOf(plan.checks), kept);
  }

  /** Estimates teach nothing. `knownModel`: the price book's name of the model that served, null if it has none. */
  #learn(call: MessageCall & AdmittedCall, metered: Metered, cost: EndedCost, knownModel: string | null): void {
    if (cost.estimated) return;
    const { tokensPerByte, expectedCosts } = this.#parts;
    if (knownModel !== null && call.facts.stream) tokensPerByte.learn(knownModel, metered);
    expectedCosts.learn(refOf(call.caller.workspace), call.plan.facts.model, cost.costNano);
  }

  #costOf(call: AdmittedCall, end: ForwardEnd): EndedCost {
    const tokensPerByte = this.#parts.tokensPerByte.of(end.metered.model ?? call.plan.facts.model);
    return callCost(call, end, tokensPerByte);
  }
}

/** A connection may also turn out to be stale before the call is sent; one that ends later has had time to be billed. */
const RETRIED: ReadonlySet<Ending> = new Set(['NeverSent', 'StaleConnection']);

const UNANSWERED = { status: 0, requestId: null, firstByteMs: null };

function outcomeOf({ end, cost, status, requestId, firstByteMs }: Forwarded): CallOutcome {
  const { errorType } = end.metered;
  return { cost, ending: cost.ending, status, requestId, errorType, firstByteMs };
}

/**
 * Applies edits to a body, whose parts are not copied. Without edits the bytes stay the same, because one changed byte
 * would miss the prompt cache.
 */
function applyEdits(body: Buffer, edits: readonly Edit[]): readonly Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (const { start, end, text } of edits) {
    parts.push(body.subarray(from, start), Buffer.from(text, 'latin1'));
    from = end;
  }
  parts.push(body.subarray(from));
  return parts;
}
