import type { IncomingMessage } from 'node:http';
import type { Caller } from '../../policy/admit/caller.ts';
import { type Call, planBatches } from '../../policy/admit/plan.ts';
import type { Settings } from '../../policy/config/settings.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import type { Refusal } from '../../policy/core/refusals.ts';
import { type BatchMeta, encodeBatchMeta } from '../../policy/cost/batch-meta.ts';
import { type BatchReader, MAX_BATCH_BYTES } from '../../policy/request/batch-reader.ts';
import type { Admitted } from '../admission/admission.ts';
import { queueKeysOf } from '../admission/queue-keys.ts';
import type { Reserver } from '../admission/reserver.ts';
import type { Settler } from '../admission/settler.ts';
import { claimedAttributes, authenticate } from '../http/authenticate.ts';
import { BodyFile } from '../http/body-file.ts';
import type { ByteQuota } from '../http/byte-quota.ts';
import type { Exchange } from '../http/exchange.ts';
import { headersUp } from '../http/headers.ts';
import { type CallerGone, refuseUnread } from '../http/read-body.ts';
import { isRefusal, refusalFor } from '../http/send-refusal.ts';
import { pathUp, type Upstreams } from '../http/upstreams.ts';
import type { PolicySource } from '../policy/active-policy.ts';
import type { CallLog } from '../record/call-log.ts';
import { costHeaders } from '../record/cost-headers.ts';
import type { EndedCall } from '../record/ended-call.ts';
import type { Metrics } from '../record/metrics.ts';
import type { RefusalCounter } from '../record/refusal-counter.ts';
import { usageRecord } from '../record/usage-record.ts';
import { batchIn, sendBatch } from './batch-response.ts';
import { type Uploaded, upload } from './batch-upload.ts';
import { PlannedRequests } from './planned-requests.ts';

interface Parts {
  readonly policy: PolicySource;
  readonly reserver: Reserver;
  readonly upstreams: Upstreams;
  readonly settler: Settler;
  readonly refusals: RefusalCounter;
  readonly metrics: Metrics;
  readonly report: CallLog;
  readonly settings: Settings;
  /** Where bodies are kept while they are read and sent. */
  readonly spoolFolder: string;
  /** How much room they have there. */
  readonly spools: ByteQuota;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The monotonic clock. Milliseconds. */
  readonly elapsed: () => number;
}

/** A batch whose body is on disk. */
interface Asked {
  readonly call: Call;
  readonly keyHash: string;
  readonly requests: PlannedRequests;
}

/** How an admitted batch was received upstream. */
interface Outcome {
  readonly ending: string;
  readonly status?: number;
  readonly presumedNano?: bigint;
}

/**
 * `POST /v1/messages/batches`: the body goes to disk while each of its requests is read, the sum of their worst cases is
 * reserved, and the reservation is handed over to the batch that the upstream made. The operator books it from there.
 */
export class CreateBatch {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Never rejects for anything that a caller, the ledger or the upstream does. */
  async create(exchange: Exchange): Promise<void> {
    const { spoolFolder, spools } = this.#parts;
    const spool = await BodyFile.open(spoolFolder, exchange.id, spools.open()).catch(() => null);
    if (spool === null) return this.#refuse(exchange, refusalFor('BatchStorageFailed'));
    try {
      await this.#create(exchange, spool);
    } finally {
      await spool.close();
    }
  }

  async #create(exchange: Exchange, spool: BodyFile): Promise<void> {
    const asked = await this.#read(exchange, spool);
    if (asked === 'gone') return;
    if (isRefusal(asked)) return this.#refuse(exchange, asked);
    const { call, keyHash, requests } = asked;
    const { id, res } = exchange;
    const plan = (latest: Call, at: number) => requests.plan(latest.caller, at);
    // Nobody counts the tokens of a batch.
    const count = () => Promise.resolve(null);
    const admitted = await this.#parts.reserver.reserve({ id, keyHash, call, res, count, plan });
    if (isRefusal(admitted)) return this.#refuse(exchange, admitted, call.caller);
    if (exchange.hasLeft) return this.#release(id, admitted);
    await this.#conclude(exchange, admitted, requests, await this.#send(exchange, admitted, spool));
  }

  /** Who calls, and what each request may cost. */
  async #read({ req }: Exchange, spool: BodyFile): Promise<Asked | Refusal | CallerGone> {
    const { policy, settings, now } = this.#parts;
    const identity = authenticate(req.headers, policy);
    if (!identity.ok) return identity.error;
    const { caller, keyHash } = identity.value;
    const claimed = claimedAttributes(req.headers, caller.workspace);
    if (!claimed.ok) return claimed.error;
    const refusal = planBatches(caller, true);
    if (refusal !== null) return refusal;
    spool.belongTo(refOf(caller.workspace));
    const requests = new PlannedRequests(caller, claimed.value, now(), settings);
    const outcome = await receive(req, spool, requests.reader);
    if (outcome !== null) return outcome;
    return { call: { caller, facts: requests.first, claimed: claimed.value }, keyHash, requests };
  }

  #send({ req, res, route }: Exchange, { call }: Admitted, spool: BodyFile): Promise<Uploaded> {
    const { workspace } = call.caller;
    const upstream = this.#parts.upstreams.of(workspace);
    const headers = headersUp(req, workspace);
    return upload({ upstream: upstream.pool, path: pathUp(upstream, route), headers, spool, res });
  }

  async #conclude(
    exchange: Exchange,
    admitted: Admitted,
    requests: PlannedRequests,
    uploaded: Uploaded,
  ): Promise<void> {
    if (uploaded.kind === 'NotSent') {
      this.#refuse(exchange, refusalFor('UpstreamUnreachable'), admitted.call.caller);
      return this.#free(exchange, admitted, 'NeverSent', 0);
    }
    if (uploaded.kind === 'Answered' && uploaded.status >= 300) {
      sendBatch(exchange.res, uploaded, []);
      return this.#free(exchange, admitted, 'ErrorStatus', uploaded.status);
    }
    const batch = uploaded.kind === 'Answered' ? batchIn(uploaded.text) : null;
    if (batch === null) {
      this.#refuse(exchange, refusalFor('BatchOutcomeUnknown'), admitted.call.caller);
      return this.#presume(exchange, admitted);
    }
    await this.#adopt(exchange, admitted, requests, batch);
    if (uploaded.kind === 'Answered') sendBatch(exchange.res, uploaded, costHeaders(admitted, null));
  }

  /** From here on the batch is the operator's, whatever becomes of this gateway. */
  async #adopt(exchange: Exchange, admitted: Admitted, requests: PlannedRequests, batch: string): Promise<void> {
    const { settler, report } = this.#parts;
    const { workspace } = admitted.call.caller;
    const ended = this.#ended(exchange, admitted, { ending: 'Batch', status: 200 });
    const meta: BatchMeta = {
      baseURL: workspace.baseURL,
      worstNano: admitted.admission.worstNano,
      highestNano: requests.highestNano,
      ...requests.summary,
      at: admitted.at,
      record: usageRecord(ended),
    };
    const adoption = { id: exchange.id, batch, workspace: refOf(workspace), meta: encodeBatchMeta(meta) };
    await settler.adopt(adoption, queueKeysOf(admitted.admission.checks));
    report.ended(exchange, ended);
  }

  /** Nobody knows whether the batch exists. */
  async #presume(exchange: Exchange, admitted: Admitted): Promise<void> {
    const { settler, report } = this.#parts;
    const { worstNano, checks } = admitted.admission;
    const ended = this.#ended(exchange, admitted, { ending: 'Broken', presumedNano: worstNano });
    report.ended(exchange, ended);
    const settlement = { id: exchange.id, costNano: 0n, presumedNano: worstNano, record: usageRecord(ended) };
    await settler.settle(settlement, queueKeysOf(checks));
  }

  /** The upstream bills nothing; the log hears of it all the same. */
  #free(exchange: Exchange, admitted: Admitted, ending: string, status: number): Promise<void> {
    const { settler, report } = this.#parts;
    const ended = this.#ended(exchange, admitted, { ending, status });
    report.ended(exchange, ended);
    return settler.release(exchange.id, queueKeysOf(admitted.admission.checks), usageRecord(ended));
  }

  #release(id: string, { admission }: Admitted): Promise<void> {
    return this.#parts.settler.release(id, queueKeysOf(admission.checks));
  }

  #ended({ id, arrived }: Exchange, { call, admission }: Admitted, outcome: Outcome): EndedCall {
    const { ending, status = 0, presumedNano = 0n } = outcome;
    const { now, elapsed } = this.#parts;
    const { model } = call.facts;
    return {
      id,
      call,
      cost: { costNano: 0n, presumedNano, estimated: presumedNano > 0n, usage: null, model },
      worstNano: admission.worstNano,
      ending,
      status,
      errorType: null,
      session: null,
      requestId: null,
      unchecked: false,
      firstByteMs: null,
      ended: now(),
      durationMs: elapsed() - arrived,
    };
  }

  #refuse(exchange: Exchange, refusal: Refusal, caller?: Caller): void {
    if (exchange.hasLeft) return;
    const { metrics, refusals, report } = this.#parts;
    const workspace = caller && refOf(caller.workspace);
    exchange.refuse(refusal);
    metrics.countRefusal(refusal.reason, workspace);
    refusals.count(refusal, caller && { caller });
    report.refused(exchange, refusal, caller);
  }
}

/** Reads the body to disk. Of a body that is refused the rest is read and dropped, so that the caller gets to read why. */
async function receive(
  req: IncomingMessage,
  spool: BodyFile,
  reader: BatchReader,
): Promise<Refusal | CallerGone | null> {
  const refusal = refuseUnread(req, MAX_BATCH_BYTES, 'BatchTooLarge') ?? (await spooled(req, spool, reader));
  if (refusal !== null && refusal !== 'gone') req.resume();
  return refusal;
}

async function spooled(
  req: IncomingMessage,
  spool: BodyFile,
  reader: BatchReader,
): Promise<Refusal | CallerGone | null> {
  const chunks = req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
  try {
    for await (const chunk of chunks) {
      const refusal = reader.write(chunk);
      if (refusal !== null) return refusal;
      const isWritten = await spool.write(chunk).catch(() => null);
      if (isWritten !== true) return refusalFor(isWritten === null ? 'BatchStorageFailed' : 'BatchStorageFull');
    }
  } catch (error) {
    if (req.destroyed && !req.complete) return 'gone';
    throw error;
  }
  return reader.end();
}
