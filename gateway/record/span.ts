import type { IncomingHttpHeaders } from 'node:http';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { USD } from '../../policy/core/money.ts';
import type { CallSpan } from '../../telemetry/spans.ts';
import { attributesOf, type EndedCall } from './usage-record.ts';

/** A call that was refused. */
interface Refused {
  readonly id: string;
  readonly feature: string;
  /** '' where it is not known. */
  readonly model: string;
  readonly workspace: string | undefined;
  readonly reason: string;
  readonly status: number;
  /** Milliseconds since the epoch. */
  readonly started: number;
  readonly ended: number;
}

const WHAT = { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'anthropic' };

/** The span of an admitted call: OpenTelemetry's names for what has one. Never a prompt, a key, a customer or a user. */
export function spanOf(ended: EndedCall, headers: IncomingHttpHeaders): CallSpan {
  const { call, booking } = ended;
  const { workspace, key } = call.caller;
  const { feature = '', department = '' } = attributesOf(call);
  const asked = call.facts.model;
  return {
    name: `chat ${asked}`,
    traceparent: traceparentOf(headers),
    started: ended.ended - ended.durationMs,
    ended: ended.ended,
    attributes: {
      ...WHAT,
      'gen_ai.request.model': asked,
      'gen_ai.response.model': booking.model,
      ...usageOf(ended),
      'http.response.status_code': ended.status,
      'tollgate.call_id': ended.id,
      'tollgate.workspace': refOf(workspace),
      'tollgate.key': key.name,
      'tollgate.feature': feature,
      'tollgate.department': department,
      'tollgate.cost_usd': Number(booking.costNano) / Number(USD),
      'tollgate.estimated': booking.estimated,
      'tollgate.ending': ended.ending,
      ...(ended.requestId === null ? {} : { 'tollgate.upstream_request_id': ended.requestId }),
    },
    error: ended.errorType ?? (ended.ending === 'Broken' || ended.ending === 'NeverSent' ? ended.ending : null),
  };
}

/** The span of a call that was not let through. */
export function refusedSpan(refused: Refused, headers: IncomingHttpHeaders): CallSpan {
  const { id, feature, model, workspace = '', reason, status, started, ended } = refused;
  return {
    name: model === '' ? 'chat' : `chat ${model}`,
    traceparent: traceparentOf(headers),
    started,
    ended,
    attributes: {
      ...WHAT,
      ...(model === '' ? {} : { 'gen_ai.request.model': model }),
      'http.response.status_code': status,
      'tollgate.call_id': id,
      'tollgate.workspace': workspace,
      'tollgate.feature': feature,
      'tollgate.refusal': reason,
    },
    error: reason,
  };
}

/** By the conventions, what came from a cache is a part of the input. */
function usageOf({ booking: { usage } }: EndedCall): Record<string, number> {
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
