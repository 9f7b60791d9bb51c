import type { Logger } from 'pino';
import type { Spender } from '../../metrics/call-metrics.ts';
import type { Call } from '../../policy/admit/plan.ts';
import type { Attributes } from '../../policy/core/compiled-policy.ts';
import { refOf } from '../../policy/core/compiled-policy.ts';
import { USD } from '../../policy/core/money.ts';
import type { CallRecord } from '../../policy/core/usage-record.ts';
import { knownName } from '../../policy/prices/price-book.ts';
import { usageFields } from '../../policy/prices/usage-fields.ts';
import type { CallCost } from './settlement.ts';

/** An admitted call and what became of it. */
export interface EndedCall {
  readonly id: string;
  readonly call: Call;
  readonly booking: CallCost;
  readonly worstNano: bigint;
  /** It was admitted without the ledger. */
  readonly unchecked: boolean;
  /** How it ended, in one word. */
  readonly ending: string;
  /** The upstream's status, 0 where none came. */
  readonly status: number;
  /** The upstream's name for the call. */
  readonly requestId: string | null;
  /** The upstream's `error.type`, null where it said none. */
  readonly errorType: string | null;
  /** Of Claude Code; as the caller says. */
  readonly session: string | null;
  /** From sending the call to the beginning of its answer; null where none began. */
  readonly firstByteMs: number | null;
  /** Milliseconds since the epoch. */
  readonly ended: number;
  readonly durationMs: number;
}

/** The attributes that count: what the credential fixes over what the caller claimed. */
export function attributesOf({ caller, claimed }: Call): Attributes {
  return { ...claimed, ...caller.key.attributes };
}

/** Whom a call is counted for; `model` is the one that its cost is of. */
export function spenderOf(call: Call, model: string): Spender {
  const { workspace } = call.caller;
  const { feature = '', department = '', user = '' } = attributesOf(call);
  return { workspace: refOf(workspace), feature, department, user, model: knownName(workspace.prices, model) };
}

/** The row of the usage stream: what the log keeps of a call. */
export function usageRecord(ended: EndedCall): CallRecord {
  const { call, booking } = ended;
  const { workspace, key } = call.caller;
  const { feature = null, customer = null, user = null, department = null, ...tags } = attributesOf(call);
  return {
    id: ended.id,
    state: 'final',
    timestamp: new Date(ended.ended).toISOString(),
    workspace: refOf(workspace),
    key: key.name,
    feature,
    customer,
    user,
    department,
    tags: JSON.stringify(tags),
    model: booking.model,
    asked_model: call.facts.model,
    ...usageFields(booking.usage),
    cost_nano: String(booking.costNano),
    presumed_nano: String(booking.presumedNano),
    worst_nano: String(ended.worstNano),
    estimated: booking.estimated,
    price_version: workspace.prices.version,
    policy_version: workspace.version,
    rule: null,
    ending: ended.ending,
    status: ended.status,
    error_type: ended.errorType,
    stream: call.facts.stream,
    session: ended.session,
    request_id: ended.requestId,
    duration_ms: Math.round(ended.durationMs),
    first_byte_ms: ended.firstByteMs === null ? null : Math.round(ended.firstByteMs),
  };
}

/** The log line of a call: the fields that dashboards of the callers already know come first. */
export function logCall(logger: Logger, ended: EndedCall): void {
  const { call, booking } = ended;
  const { workspace, key } = call.caller;
  logger.info({
    feature: attributesOf(call)['feature'] ?? '',
    model: booking.model,
    input_tokens: booking.usage?.input ?? null,
    output_tokens: booking.usage?.output ?? null,
    cost_usd: Number(booking.costNano) / Number(USD),
    id: ended.id,
    workspace: refOf(workspace),
    key: key.name,
    ending: ended.ending,
    status: ended.status,
    error_type: ended.errorType ?? undefined,
    estimated: booking.estimated,
    ...(ended.unchecked ? { unchecked: true } : {}),
    expected_usd: call.expectedNano == null ? undefined : Number(call.expectedNano) / Number(USD),
    request_id: ended.requestId,
    duration_ms: Math.round(ended.durationMs),
  });
}
