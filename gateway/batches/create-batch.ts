import type { IncomingHttpHeaders } from 'node:http';
import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { BatchPlan } from '../../policy/admit/batch-plan.ts';
import type { Caller } from '../../policy/admit/caller.ts';
import { type Plan, planBatches } from '../../policy/admit/plan.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { Attributes } from '../../policy/core/compiled-policy.ts';
import { type Nano, ZERO } from '../../policy/core/money.ts';
import { ownerOf } from '../../policy/core/owner.ts';
import { type Result, err, ok } from '../../policy/core/result.ts';
import { isApiError } from '../../policy/cost/api-error.ts';
import { type BatchMeta, batchMetaOf, encodeBatchMeta, type UnknownInBatch } from '../../policy/cost/batch-meta.ts';
import { type AnswerSeen, endingCost, endingOf, isFree, releasesByItself } from '../../policy/cost/ending-cost.ts';
import { type Refusal, refusalFor } from '../../policy/refusals/refusals.ts';
import { BatchReader } from '../../policy/request/batch-reader.ts';
import type { RequestFacts } from '../../policy/request/request.ts';
import type { Settler } from '../admission/settler.ts';
import { queueKeysOf } from '../admission/wait-queue.ts';
import { BodyFile } from '../http/body-file.ts';
import type { ByteQuota } from '../http/byte-quota.ts';
import type { AdmittedCall, AuthenticatedCall, Clocks, ReadCall } from '../http/call.ts';
import { betasOf, isJSON, mediaType } from '../http/headers.ts';
import type { CallerGone } from '../http/read-body.ts';
import type { ReadingTurns } from '../http/reading-turns.ts';
import type { CallRefuser } from '../pipeline/call-refuser.ts';
import type { PaidEndpoint } from '../pipeline/pipeline.ts';
import { noCost } from '../record/call-cost.ts';
import type { CallLog } from '../record/call-log.ts';
import { costHeaders } from '../record/cost-headers.ts';
import type { EndedCall } from '../record/ended-call.ts';
import { usageRecord } from '../record/usage-record.ts';
import type { UpstreamKeys } from '../upstream/upstream-keys.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { type Uploaded, receiveBatch, upload } from './batch-body.ts';
import { batchIn, parsed, sendBatch } from './batch-response.ts';

interface Parts extends Pick<Clocks, 'now' | 'elapsed'> {
  readonly upstreams: Upstreams;
  readonly upstreamKeys: UpstreamKeys;
  readonly readingTurns: ReadingTurns;
  readonly settler: Settler;
  readonly callRefuser: CallRefuser;
  readonly callLog: CallLog;
  readonly settings: Settings;
  readonly bodyFolder: string;
  readonly bodyFiles: ByteQuota;
}

interface BatchCall extends ReadCall {
  readonly requests: PlannedRequests;
  readonly file: BodyFile;
}

/**
 * `POST /v1/messages/batches`: the body goes to disk while each of its requests is read, the sum of their worst cases is
 * reserved, and the reservation is handed over to the batch that the upstream made. The operator settles it from there.
 */
export class CreateBatch implements PaidEndpoint<BatchCall, Uploaded> {
  /** The costs of an unchecked batch could not be followed. */
  readonly mayGoUnchecked = false;
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Plans each request as it is read. */
  async read(call: AuthenticatedCall): Promise<Result<BatchCall, Refusal | CallerGone>> {
    const { settings, now, bodyFolder, bodyFiles, readingTurns } = this.#parts;
    const { id, caller } = call;
    const refusal = planBatches(caller, true);
    if (refusal !== null) return err(refusal);
    const disk = bodyFiles.open();
    disk.belongTo(caller.workspace);
    const file = await BodyFile.open(bodyFolder, id, disk).catch(() => null);
    if (file === null) return err(refusalFor('BatchStorageFailed'));
    let isRead = false;
    try {
      const requests = new PlannedRequests(call, now(), settings);
      const outcome = await receiveBatch(call, file, requests.reader, readingTurns);
      if (outcome !== null) return err(outcome);
      isRead = true;
      return ok(Object.assign(call, { facts: requests.first, expectedNano: null, requests, file }));
    } finally {
      if (!isRead) await file.close();
    }
  }

  filesOf({ requests }: BatchCall): readonly string[] {
    return requests.files;
  }

  close({ file }: BatchCall): Promise<void> {
    return file.close();
  }

  plan({ caller, requests }: BatchCall, at: number): Promise<Plan> {
    return requests.plan(caller, at);
  }

  /** The upstream does not count the tokens of a batch. */
  countTokens(): Promise<null> {
    return Promise.resolve(null);
  }

  forward(call: BatchCall & AdmittedCall): Promise<Uploaded> {
    return upload(call, call.file, this.#parts.upstreams.of(call.caller.workspace), this.#parts.elapsed);
  }

  async finish(call: BatchCall & AdmittedCall, uploaded: Uploaded): Promise<void> {
    const answer = uploaded.answer?.text == null ? null : { ...uploaded.answer, text: uploaded.answer.text };
    const batch = answer === null || answer.status >= 300 ? null : batchIn(answer.text);
    if (answer !== null && batch !== null) {
      await this.#openBatch(call, batch);
      return sendBatch(call, answer, costHeaders(call, null));
    }
    const seen = answerSeen(uploaded);
    const refusal = this.#parts.upstreamKeys.check(call.caller.workspace, seen.status);
    if (refusal !== null) this.#parts.callRefuser.refuse(call, refusal);
    else if (answer !== null && answer.status >= 300) sendBatch(call, answer, []);
    else this.#parts.callRefuser.refuse(call, refusalFor(seen.isSent ? 'BatchOutcomeUnknown' : 'UpstreamUnreachable'));
    await this.#endWithoutBatch(call, seen);
  }

  /** From here on the batch is the operator's, whatever becomes of this gateway. */
  async #openBatch(call: BatchCall & AdmittedCall, batch: string): Promise<void> {
    const { id, caller, plan, requests, admittedAt } = call;
    const { workspace } = caller;
    const meta: BatchMeta = {
      baseURL: workspace.baseURL,
      worstNano: plan.worstNano,
      highestNano: requests.highestNano,
      ...requests.summary,
      unknown: requests.unknown,
      at: admittedAt,
      record: usageRecord(this.#end(call, 'Batch', 200)),
    };
    const reservation = { id, batch, ...ownerOf(workspace), meta: encodeBatchMeta(meta) };
    await this.#parts.settler.openBatch(reservation, queueKeysOf(plan.checks));
  }

  /** There is no batch, or it is not known whether there is one. The usage log hears of the call in any case. */
  #endWithoutBatch(call: AdmittedCall, seen: AnswerSeen): Promise<void> {
    const { settler } = this.#parts;
    const { id, plan } = call;
    const ending = endingOf(seen);
    const amounts = endingCost(ending, plan.worstNano, () => ZERO);
    const record = usageRecord(this.#end(call, ending, seen.status, amounts.presumedNano));
    const queues = queueKeysOf(plan.checks);
    if (isFree(ending)) return settler.release(id, queues, record);
    return settler.settle({ id, ...amounts, releases: releasesByItself(seen), record }, queues);
  }

  #end(call: AdmittedCall, ending: string, status: number, presumedNano = ZERO): EndedCall {
    return this.#parts.callLog.end(call, {
      cost: { ...noCost(call.facts.model), presumedNano, estimated: presumedNano > 0n },
      ending,
      status,
      errorType: null,
      requestId: null,
      firstByteMs: null,
    });
  }
}

/** An answer that describes no batch, as the table of endings sees it. */
function answerSeen({ isSent, answer, milliseconds }: Uploaded): AnswerSeen {
  const { status = 0, text = null, headers = {} } = answer ?? {};
  const isError = isApiError(parsed(text ?? ''));
  return {
    isSent,
    isStale: false,
    isCancelled: false,
    status,
    isWhole: text !== null,
    isApiError: isError && isJSON(headers),
    hasErrorEvent: false,
    isComplete: text !== null,
    hasContent: status < 300 && text !== '' && !isError && !isPage(headers, text),
    usage: 'None',
    milliseconds,
  };
}

/** What is neither a page nor an error may be a description of a batch that was cut. */
function isPage(headers: IncomingHttpHeaders, text: string | null): boolean {
  return mediaType(headers) === 'text/html' && text?.trimStart().startsWith('<') === true;
}

/** So many requests are planned before other calls get a turn. */
const TURN = 1_000;

/** The requests of a batch, planned as they are read, and again after a change of policy, period or price. */
class PlannedRequests {
  readonly reader: BatchReader;
  readonly #facts: RequestFacts[] = [];
  readonly #caller: Caller;
  readonly #claimed: Attributes;
  readonly #settings: Settings;
  #plan: BatchPlan;

  constructor({ req, caller, claimed }: AuthenticatedCall, now: number, settings: Settings) {
    this.#caller = caller;
    this.#claimed = claimed;
    this.#settings = settings;
    this.#plan = new BatchPlan(caller, claimed, now, settings);
    this.reader = new BatchReader((facts) => {
      this.#facts.push(facts);
      return this.#plan.add(facts);
    }, betasOf(req.headers));
  }

  get first(): RequestFacts {
    return this.#facts[0]!;
  }

  /** That any of them names. */
  get files(): readonly string[] {
    return [...new Set(this.#facts.flatMap(({ files }) => files))];
  }

  get highestNano(): Nano {
    return this.#plan.highestNano;
  }

  get unknown(): readonly UnknownInBatch[] {
    return this.#plan.unknown;
  }

  get summary(): ReturnType<typeof batchMetaOf> {
    return batchMetaOf(this.#facts);
  }

  async plan(caller: Caller, at: number): Promise<Plan> {
    const { from, until } = this.#plan.planned;
    if (caller === this.#caller && from <= at && at < until) return ok(this.#plan.planned);
    const refusal = planBatches(caller, true);
    if (refusal !== null) return err(refusal);
    const plan = new BatchPlan(caller, this.#claimed, at, this.#settings);
    for (const [index, facts] of this.#facts.entries()) {
      if (index % TURN === TURN - 1) await yieldToOthers();
      const problem = plan.add(facts);
      if (problem === null) continue;
      return err({ ...problem, message: `requests[${index}]: ${problem.message}` });
    }
    this.#plan = plan;
    return ok(plan.planned);
  }
}
