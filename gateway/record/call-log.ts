import type { IncomingHttpHeaders } from 'node:http';
import type { Logger } from 'pino';
import type { Caller } from '../../policy/admit/caller.ts';
import { refusalStatus } from '../../policy/admit/refusal-response.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { USD } from '../../policy/core/money.ts';
import type { Refusal } from '../../policy/refusals/refusals.ts';
import type { CallSpan } from '../../telemetry/span-exporter.ts';
import type { AdmittedCall, Clocks, ReadCall, ReceivedCall } from '../http/call.ts';
import { type CallOutcome, type EndedCall, attributesOf } from './ended-call.ts';
import type { RefusalLines } from './refusal-lines.ts';

export interface Spans {
  add(span: CallSpan): void;
}

interface Parts extends Clocks {
  readonly logger: Logger;
  /** Null if spans are not exported. */
  readonly spans: Spans | null;
  readonly refusalLines: RefusalLines;
}

/** Writes one log line and one span for each call; of refusals, as many as `RefusalLines` allows. */
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
    const { logger, spans, refusalLines, now, elapsed } = this.#parts;
    const workspace = caller && refOf(caller.workspace);
    if (!refusalLines.hasLine(workspace ?? '', caller?.key.name ?? '')) return;
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

/** The endings of attempts that got no answer. */
const UNANSWERED = new Set(['Broken', 'NeverSent', 'StaleConnection']);

const OPERATION = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'anthropic' };

/** An admitted call in OpenTelemetry's names; never with a prompt, a credential, a customer or a user. */
function spanOf(ended: EndedCall): CallSpan {
  const { cost, endedAt } = ended;
  const { workspace, key } = ended.caller;
  const { feature = '', department = '' } = attributesOf(ended);
  const asked = ended.facts.model;
  return {
    name: `chat ${asked}`,
    traceparent: traceparentOf(ended.req.headers),
    started: endedAt - ended.durationMs,
    ended: endedAt,
    attributes: {
      ...OPERATION,
      'gen_ai.request.model': asked,
      'gen_ai.response.model': cost.model,
      ...usageOf(ended),
      'http.response.status_code': ended.status,
      'tollgate.call_id': ended.id,
      'tollgate.workspace': refOf(workspace),
      'tollgate.key': key.name,
      'tollgate.feature': feature,
      'tollgate.department': department,
      'tollgate.cost_usd': Number(cost.costNano) / Number(USD),
      'tollgate.estimated': cost.estimated,
      'tollgate.ending': ended.ending,
      ...(ended.requestId === null ? {} : { 'tollgate.upstream_request_id': ended.requestId }),
    },
    error: ended.errorType ?? (UNANSWERED.has(ended.ending) ? ended.ending : null),
  };
}

/** `asked`: what is known of the request; its model is '' if it could not be read. Times in milliseconds since the epoch. */
function refusedSpan(
  { id, req }: ReceivedCall,
  refusal: Refusal,
  asked: { readonly feature: string; readonly model: string; readonly workspace: string | undefined },
  { started, ended }: Pick<CallSpan, 'started' | 'ended'>,
): CallSpan {
  const { feature, model, workspace = '' } = asked;
  return {
    name: model === '' ? 'chat' : `chat ${model}`,
    traceparent: traceparentOf(req.headers),
    started,
    ended,
    attributes: {
      ...OPERATION,
      ...(model === '' ? {} : { 'gen_ai.request.model': model }),
      'http.response.status_code': refusalStatus(refusal),
      'tollgate.call_id': id,
      'tollgate.workspace': workspace,
      'tollgate.feature': feature,
      'tollgate.refusal': refusal.reason,
    },
    error: refusal.reason,
  };
}

/** By OpenTelemetry's conventions, tokens from a cache are part of the input. */
function usageOf({ cost: { usage } }: EndedCall): Record<string, number> {
  if (usage === null) return {};
  const written = usage.cacheWrite5m + usage.cacheWrite1h;
  return {
    'gen_ai.usage.input_tokens': usage.input + usage.cacheRead + written,
    'gen_ai.usage.output_tokens': usage.output,
    'gen_ai.usage.cache_read.input_tokens': usage.cacheRead,
    'gen_ai.usage.cache_creation.input_tokens': written,
  };
}

function traceparentOf({ traceparent }: IncomingHttpHeaders): string | undefined {
  return typeof traceparent === 'string' ? traceparent : undefined;
}
