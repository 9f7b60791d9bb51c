import type { Logger } from 'pino';
import type { Caller } from '../../policy/admit/caller.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { USD } from '../../policy/core/money.ts';
import type { Refusal } from '../../policy/core/refusals.ts';
import type { CallSpan } from '../../telemetry/span-exporter.ts';
import type { AdmittedCall, Clocks, ReadCall, ReceivedCall } from '../http/call.ts';
import { attributesOf, type CallOutcome, type EndedCall } from './ended-call.ts';
import { refusedSpan, spanOf } from './span.ts';

export interface Spans {
  add(span: CallSpan): void;
}

interface Parts extends Clocks {
  readonly logger: Logger;
  /** Null if spans are not exported. */
  readonly spans: Spans | null;
}

/** Writes one log line and one span for each call. */
export class CallLog {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  end(call: AdmittedCall, outcome: CallOutcome): EndedCall {
    const { logger, spans, now, elapsed } = this.#parts;
    const ended = Object.assign(call, outcome, { endedAt: now(), durationMs: elapsed() - call.arrived });
    logger.info(logLine(ended));
    spans?.add(spanOf(ended));
    return ended;
  }

  /** A refused call, with its caller and request as far as they are known. */
  refused(call: ReceivedCall, refusal: Refusal, caller?: Caller, read?: ReadCall): void {
    const { logger, spans, now, elapsed } = this.#parts;
    const workspace = caller && refOf(caller.workspace);
    const feature = read === undefined ? '' : (attributesOf(read)['feature'] ?? '');
    const model = read?.facts.model ?? '';
    logger.info({ feature, model, cost_usd: 0, id: call.id, workspace, refusal: refusal.reason });
    if (spans === null) return;
    const ended = now();
    const started = ended - (elapsed() - call.arrived);
    spans.add(refusedSpan(call, refusal, { feature, model, workspace }, { started, ended }));
  }
}

/** The fields that callers' existing dashboards use come first. */
function logLine(ended: EndedCall): object {
  const { cost } = ended;
  const { workspace, key } = ended.caller;
  return {
    feature: attributesOf(ended)['feature'] ?? '',
    model: cost.model,
    input_tokens: cost.usage?.input ?? null,
    output_tokens: cost.usage?.output ?? null,
    cost_usd: Number(cost.costNano) / Number(USD),
    id: ended.id,
    workspace: refOf(workspace),
    key: key.name,
    ending: ended.ending,
    status: ended.status,
    error_type: ended.errorType ?? undefined,
    estimated: cost.estimated,
    ...(ended.committedNano === null ? { unchecked: true } : {}),
    expected_usd: ended.expectedNano === null ? undefined : Number(ended.expectedNano) / Number(USD),
    request_id: ended.requestId,
    duration_ms: Math.round(ended.durationMs),
  };
}
