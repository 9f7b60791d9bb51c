import type { IncomingHttpHeaders } from 'node:http';
import type { Spender } from '../../metrics/call-metrics.ts';
import type { PlannedCall, Call } from '../../policy/admit/plan.ts';
import { refusalStatus } from '../../policy/admit/refusal-response.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import type { Refusal } from '../../policy/core/refusals.ts';
import { isSingleInference } from '../../policy/cost/worst-cost.ts';
import { readRequest } from '../../policy/request/request.ts';
import type { Admitted } from '../admission/admission.ts';
import { queueKeysOf } from '../admission/queue-keys.ts';
import type { Reserver } from '../admission/reserver.ts';
import type { Settler } from '../admission/settler.ts';
import { applyEdits } from '../forward/apply-edits.ts';
import { type ForwardEnd, forward, unanswered } from '../forward/forward.ts';
import type { Metered } from '../forward/meter.ts';
import type { TokensPerByte } from '../forward/tokens-per-byte.ts';
import { claimedAttributes, authenticate } from '../http/authenticate.ts';
import type { Exchange } from '../http/exchange.ts';
import { headersUp } from '../http/headers.ts';
import { type CallerGone, readBody } from '../http/read-body.ts';
import { isRefusal } from '../http/send-refusal.ts';
import { pathUp, type Upstreams } from '../http/upstreams.ts';
import type { PolicySource } from '../policy/active-policy.ts';
import { billedFigures, callCost, type CallCost, type ReservedCall } from '../record/call-cost.ts';
import type { CallLog } from '../record/call-log.ts';
import { costHeaders } from '../record/cost-headers.ts';
import { type EndedCall, spenderOf } from '../record/ended-call.ts';
import type { Metrics } from '../record/metrics.ts';
import type { RefusalCounter } from '../record/refusal-counter.ts';
import { usageRecord } from '../record/usage-record.ts';
import type { ExpectedCosts } from './expected-cost.ts';
import { countPromptTokens } from './prompt-count.ts';

interface Parts {
  readonly policy: PolicySource;
  readonly reserver: Reserver;
  readonly upstreams: Upstreams;
  readonly settler: Settler;
  readonly densities: TokensPerByte;
  readonly expectations: ExpectedCosts;
  readonly metrics: Metrics;
  readonly refusals: RefusalCounter;
  readonly report: CallLog;
  readonly settings: Settings;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The monotonic clock. Milliseconds. */
  readonly elapsed: () => number;
}

/** A call whose body was read and whose caller is known. */
interface Asked {
  readonly call: Call;
  readonly keyHash: string;
  readonly body: Buffer;
}

/** `POST /v1/messages`: every stage of a call that costs money, in order. */
export class Messages {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Never rejects for anything that a caller, the ledger or the upstream does. */
  async serve(exchange: Exchange): Promise<void> {
    const asked = await this.#read(exchange);
    if (asked === 'gone') return;
    if (isRefusal(asked)) return this.#refuse(exchange, asked);
    const { id, res } = exchange;
    const { call, keyHash, body } = asked;
    const count = (): Promise<number | null> => this.#count(exchange, call, body);
    const admitted = await this.#parts.reserver.reserve({ id, keyHash, call, res, count });
    if (isRefusal(admitted)) return this.#refuse(exchange, admitted, call);
    if (exchange.hasLeft) return this.#release(id, admitted);
    await this.#spend(exchange, admitted, body);
  }

  #count({ req, route }: Exchange, { caller }: Call, body: Buffer): Promise<number | null> {
    const { workspace } = caller;
    return countPromptTokens({ req, route, body, workspace, upstream: this.#parts.upstreams.of(workspace) });
  }

  /** Stages identify and facts. */
  async #read(exchange: Exchange): Promise<Asked | Refusal | CallerGone> {
    const { headers } = exchange.req;
    const identity = authenticate(headers, this.#parts.policy);
    if (!identity.ok) return identity.error;
    const { caller, keyHash } = identity.value;
    const claimed = claimedAttributes(headers, caller.workspace);
    if (!claimed.ok) return claimed.error;
    exchange.memory.belongTo(refOf(caller.workspace));
    const body = await readBody(exchange);
    if (!body.ok) return body.error;
    const facts = readRequest(body.value);
    if (!facts.ok) return facts.error;
    const expectedNano = this.#parts.expectations.of(refOf(caller.workspace), facts.value.model);
    return { call: { caller, facts: facts.value, claimed: claimed.value, expectedNano }, keyHash, body: body.value };
  }

  /** Stages forward, meter and settle. */
  async #spend(exchange: Exchange, admitted: Admitted, body: Buffer): Promise<void> {
    const spending = new Spending(exchange, admitted, this.#parts);
    const { openStreams } = this.#parts.metrics;
    openStreams.inc();
    const ending = await spending.forward(body).finally(() => openStreams.dec());
    if (!exchange.res.headersSent) exchange.refuse(unanswered(ending));
    if (ending.kind === 'NeverSent' || ending.kind === 'ErrorStatus') {
      return spending.release(ending);
    }
    await spending.settle(ending.kind, ending.metered);
  }

  #release(id: string, { admission }: Admitted): Promise<void> {
    return this.#parts.settler.release(id, queueKeysOf(admission.checks));
  }

  /** Who has left is told nothing, and was refused nothing. */
  #refuse(exchange: Exchange, refusal: Refusal, call?: Call): void {
    if (exchange.hasLeft) return;
    const { metrics, refusals, report } = this.#parts;
    const workspace = call?.caller.workspace;
    const ref = workspace && refOf(workspace);
    exchange.refuse(refusal);
    metrics.countRefusal(refusal.reason, ref);
    const spender = call === undefined ? NOBODY : spenderOf(call, call.facts.model);
    metrics.countCall(spender, refusalStatus(refusal) < 500 ? 'Refused' : 'Unavailable');
    refusals.count(refusal, call);
    report.refused(exchange, refusal, call?.caller, call);
  }
}

/** Whoever has no valid credential, or no body that can be read. */
const NOBODY: Spender = { workspace: '', feature: '', department: '', user: '', model: null };

/** Claude Code names its session, in the body as well. */
function sessionOf(headers: IncomingHttpHeaders): string | null {
  const session = headers['x-claude-code-session-id'];
  return typeof session === 'string' ? session.slice(0, 100) : null;
}

/** One admitted call: what was reserved for it is spent. */
class Spending {
  readonly #exchange: Exchange;
  readonly #admission: PlannedCall;
  readonly #admitted: Admitted;
  readonly #reserved: ReservedCall;
  readonly #parts: Parts;
  readonly #workspace: string;
  #cost: CallCost | null = null;
  #status = 0;
  #requestId: string | null = null;
  #firstByteMs: number | null = null;

  constructor(exchange: Exchange, admitted: Admitted, parts: Parts) {
    const { admission, call, at } = admitted;
    const { workspace } = call.caller;
    const { model } = call.facts;
    const worstNano = admission.worstNano + admission.gapNano;
    this.#exchange = exchange;
    this.#admission = admission;
    this.#admitted = admitted;
    this.#parts = parts;
    this.#workspace = refOf(workspace);
    this.#reserved = { facts: admission.facts, model, worstNano, prices: workspace.prices, at };
  }

  forward(body: Buffer): Promise<ForwardEnd> {
    const { metrics, settings, upstreams, elapsed } = this.#parts;
    const { req, res, route, arrived } = this.#exchange;
    const { workspace } = this.#admitted.call.caller;
    const upstream = upstreams.of(workspace);
    const sent = elapsed();
    metrics.observeAdded((sent - arrived) / 1000);
    const ending = forward({
      upstream: upstream.pool,
      path: pathUp(upstream, route),
      headers: headersUp(req, workspace),
      body: applyEdits(body, this.#admission.edits),
      res,
      // Where Anthropic runs tools, prompts are billed of which a stream says nothing before its end.
      onAbort: isSingleInference(this.#reserved.facts) ? settings.onAbort : 'Drain',
      stream: this.#reserved.facts.stream,
      elapsed,
      onAnswer: (status, headers) => {
        this.#status = status;
        this.#requestId = headers['request-id']?.toString() ?? null;
        this.#firstByteMs = elapsed() - sent;
        metrics.observeFirstByte(this.#workspace, this.#firstByteMs / 1000);
      },
      streamHeaders: () => costHeaders(this.#admitted, null),
      answerHeaders: (metered) => {
        this.#cost = this.#book(metered, false);
        return costHeaders(this.#admitted, this.#cost);
      },
    });
    metrics.begin(spenderOf(this.#admitted.call, this.#reserved.model)); // by now the call is on its way
    return ending;
  }

  /** The upstream bills nothing. */
  release(ending: Extract<ForwardEnd, { kind: 'NeverSent' | 'ErrorStatus' }>): Promise<void> {
    const { model } = this.#reserved;
    const cost = { costNano: 0n, presumedNano: 0n, estimated: false, usage: null, model };
    const errorType = ending.kind === 'ErrorStatus' ? ending.errorType : null;
    const ended = this.#ended(ending.kind, cost, errorType);
    const { settler, metrics, report } = this.#parts;
    report.ended(this.#exchange, ended);
    metrics.countCall(spenderOf(ended.call, model), ending.kind);
    return settler.release(ended.id, queueKeysOf(this.#admission.checks), usageRecord(ended));
  }

  async settle(ending: string, metered: Metered): Promise<void> {
    const { settler, metrics, report, densities, expectations, settings } = this.#parts;
    const { id } = this.#exchange;
    const { call, admission, reservation } = this.#admitted;
    const cost = this.#cost ?? this.#book(metered, ending === 'Cancelled');
    const spender = spenderOf(call, cost.model);
    const known = spender.model;
    if (known !== null && call.facts.stream && !cost.estimated) densities.learn(known, metered);
    if (!cost.estimated) expectations.learn(this.#workspace, this.#reserved.model, cost.costNano);
    const ended = this.#ended(ending, cost, metered.errorType);
    report.ended(this.#exchange, ended);
    metrics.countSpending({
      spender,
      ending,
      ...billedFigures(this.#reserved, cost),
      worstNano: this.#reserved.worstNano,
      usage: cost.usage,
      seconds: ended.durationMs / 1000,
    });
    const { costNano, presumedNano } = cost;
    const settlement = { id, costNano, presumedNano, record: usageRecord(ended) };
    const isKept = settings.ledgerLoss === 'Open';
    await settler.settle(settlement, queueKeysOf(admission.checks), isKept ? reservation : undefined);
  }

  #book(metered: Metered, isCancelled: boolean): CallCost {
    const density = this.#parts.densities.of(metered.model ?? this.#reserved.model);
    return callCost(this.#reserved, metered, isCancelled, density);
  }

  #ended(ending: string, cost: CallCost, errorType: string | null): EndedCall {
    const { now, elapsed } = this.#parts;
    const { id, arrived, req } = this.#exchange;
    return {
      id,
      call: this.#admitted.call,
      cost,
      worstNano: this.#admission.worstNano,
      unchecked: this.#admitted.committedNano === null,
      ending,
      status: this.#status,
      requestId: this.#requestId,
      errorType,
      session: sessionOf(req.headers) ?? this.#admitted.call.facts.session,
      firstByteMs: this.#firstByteMs,
      ended: now(),
      durationMs: elapsed() - arrived,
    };
  }
}
