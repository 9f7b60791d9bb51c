import type { Spender } from '../../metrics/call-metrics.ts';
import { refusalStatus } from '../../policy/admit/refusal-response.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import type { Refusal } from '../../policy/refusals/refusals.ts';
import type { ReadCall, ReceivedCall } from '../http/call.ts';
import type { Endpoint } from '../http/route.ts';
import type { CallLog } from '../record/call-log.ts';
import { spenderOf } from '../record/ended-call.ts';
import type { Metrics } from '../record/metrics.ts';
import type { RefusalCounter } from '../record/refusal-counter.ts';

interface Parts {
  readonly metrics: Metrics;
  readonly refusalCounter: RefusalCounter;
  readonly callLog: CallLog;
}

/** What is kept of a refused call, by endpoint: calls that cost nothing leave a count at most. */
const KEPT: Readonly<Record<Endpoint, 'Call' | 'Refusal' | 'Count' | 'Nothing'>> = {
  Messages: 'Call',
  CreateBatch: 'Refusal',
  CountTokens: 'Count',
  ListBatches: 'Count',
  Batch: 'Count',
  UploadFile: 'Count',
  ListFiles: 'Count',
  File: 'Count',
  Models: 'Nothing',
  Budgets: 'Nothing',
  Probe: 'Nothing',
};

/** The spender of a call without a valid credential, or without a body that can be read. */
const NOBODY: Spender = { workspace: '', feature: '', department: '', user: '', model: null };

/** Answers calls with refusals, and records them in metrics, refusal counts and call log. */
export class CallRefuser {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Refuses a call at any stage. A caller that has left gets no answer, and no refusal is recorded. */
  refuse(call: ReceivedCall & Partial<ReadCall>, refusal: Refusal): void {
    if (call.hasLeft) return;
    call.refuse(refusal);
    const kept = KEPT[call.route.endpoint];
    if (kept === 'Nothing') return;
    const { metrics, refusalCounter, callLog } = this.#parts;
    if (kept === 'Count') return metrics.countRefusal(refusal.reason);
    const read = isRead(call) ? call : undefined;
    metrics.countRefusal(refusal.reason, read && refOf(read.caller.workspace));
    refusalCounter.count(refusal, read?.caller);
    callLog.refused(call, refusal, read?.caller, kept === 'Call' ? read : undefined);
    if (kept !== 'Call') return;
    const spender = read === undefined ? NOBODY : spenderOf(read, read.facts.model);
    metrics.countCall(spender, refusalStatus(refusal) < 500 ? 'Refused' : 'Unavailable');
  }
}

/** A refusal counts for the caller only if its request could be read. */
function isRead(call: ReceivedCall & Partial<ReadCall>): call is ReadCall {
  return call.facts !== undefined;
}
