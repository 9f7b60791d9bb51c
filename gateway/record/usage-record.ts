import { refOf } from '../../policy/core/compiled-policy.ts';
import type { CallRecord } from '../../policy/core/usage-record.ts';
import { unboundedPaths } from '../../policy/cost/worst-cost.ts';
import { usageRecordFields } from '../../policy/prices/usage.ts';
import { attributesOf, type EndedCall } from './ended-call.ts';

/** The record of a call in the usage stream, from which the log makes its row. */
export function usageRecord(ended: EndedCall): CallRecord {
  const { cost } = ended;
  const { workspace, key } = ended.caller;
  // The namespace is in the name of the workspace.
  const { feature, customer, user, department, session, namespace: _, ...tags } = attributesOf(ended);
  return {
    id: ended.id,
    state: 'final',
    timestamp: new Date(ended.endedAt).toISOString(),
    workspace: refOf(workspace),
    workspace_uid: workspace.uid ?? null,
    namespace_uid: workspace.namespaceUid ?? null,
    key: key.name,
    feature: valueOf(feature),
    customer: valueOf(customer),
    user: valueOf(user),
    department: valueOf(department),
    tags: JSON.stringify(Object.fromEntries(Object.entries(tags).filter(([, value]) => value !== ''))),
    model: cost.model,
    asked_model: ended.facts.model,
    ...usageRecordFields(cost.usage),
    cost_nano: String(cost.costNano),
    presumed_nano: String(cost.presumedNano),
    worst_nano: String(ended.plan.reservedNano),
    estimated: cost.estimated,
    price_version: workspace.prices.version,
    policy_version: workspace.version,
    rule: null,
    ending: ended.ending,
    status: ended.status,
    error_type: ended.errorType,
    stream: ended.facts.stream,
    session: valueOf(session),
    request_id: ended.requestId,
    duration_ms: Math.round(ended.durationMs),
    first_byte_ms: ended.firstByteMs === null ? null : Math.round(ended.firstByteMs),
    ...unknownOf(ended),
  };
}

/** What was unknown in the request. Of a call that nothing bounds anyway, no name is to blame for what it cost. */
function unknownOf({ cost, plan: { facts, reservedNano } }: EndedCall): Pick<CallRecord, 'unknown'> {
  if (facts.unknown.length === 0) return {};
  const exceeded = cost.costNano > reservedNano && unboundedPaths(facts).length === 0;
  return { unknown: JSON.stringify({ names: facts.unknown.map(({ name }) => name), exceeded }) };
}

/** The empty value is none: the platform fixed that the call has no such attribute. */
function valueOf(attribute: string | undefined): string | null {
  return attribute === undefined || attribute === '' ? null : attribute;
}
