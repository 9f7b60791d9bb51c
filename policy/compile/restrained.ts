/**
 * The restrained form of a resource whose edit cannot be taken because it is too large: the last form, with what the edit
 * suspends, revokes and lowers, and with nothing that it adds. No form is longer than the last one (a word or two aside),
 * so there is always room for it, whatever others have put into the shard.
 */

import { encodeJSON } from '../core/canonical-json.ts';
import type {
  CompiledBudget,
  CompiledKey,
  CompiledSpanning,
  Credentials,
  Disclosure,
  Guards,
} from '../core/compiled-policy.ts';
import { deepEqual } from '../core/deep-equal.ts';
import type { Nano } from '../core/money.ts';
import type { OwnPart } from './compile-workspace.ts';

/** Every amount is the lower one; a grant that the edit does not cover is gone, and so is an exemption that it changes. */
export function restrainBudget(last: CompiledBudget, next: CompiledBudget): CompiledBudget {
  const { exempt, totalNano, workspaceReservePercent: percent, spanning, ...rest } = last;
  return {
    ...rest,
    mode: next.mode === 'Enforce' ? 'Enforce' : last.mode,
    suspend: last.suspend || next.suspend,
    limitNano: lower(last.limitNano, next.limitNano),
    ...(totalNano === undefined ? {} : { totalNano: lower(totalNano, next.totalNano) }),
    toleranceNano: lower(last.toleranceNano, next.toleranceNano),
    ...(percent === undefined
      ? {}
      : { workspaceReservePercent: Math.min(percent, next.workspaceReservePercent ?? 100) }),
    overrides: last.overrides.map(({ values, limitNano }) => ({
      values,
      limitNano: lower(limitNano, limitOf(next, values)),
    })),
    grants: last.grants.flatMap((grant) => {
      const kept = next.grants.find(({ from, until }) => from <= grant.from && until >= grant.until);
      return kept === undefined ? [] : { ...grant, amountNano: lower(grant.amountNano, kept.amountNano) };
    }),
    ...(exempt !== undefined && deepEqual(exempt, next.exempt) ? { exempt } : {}),
    criticalExtraNano: lower(last.criticalExtraNano, next.criticalExtraNano),
    ...(spanning === undefined ? {} : { spanning: restrainSpanning(spanning, next.spanning) }),
  };
}

const DISCLOSURES: readonly Disclosure[] = ['Name', 'Percent', 'Amounts'];

function restrainSpanning(last: CompiledSpanning, next: CompiledSpanning | undefined): CompiledSpanning {
  const shown = [last.disclosure, next?.disclosure ?? 'Name'];
  return { ...last, disclosure: DISCLOSURES.find((level) => shown.includes(level))! };
}

/** Keys that the edit removes are gone, and guards are the lower ones. */
export function restrainWorkspace(last: OwnPart, next: OwnPart): OwnPart {
  const { uid, namespaceUid, namespaceAttributes } = next;
  const kept = new Map(next.keys.map((key) => [key.name, key]));
  return {
    ...last,
    ...(uid === undefined || namespaceUid === undefined ? {} : { uid, namespaceUid }),
    ...(namespaceAttributes === undefined ? {} : { namespaceAttributes }),
    suspend: last.suspend || next.suspend,
    keys: last.keys.flatMap((key) => (kept.has(key.name) ? restrainKey(key, kept.get(key.name)!) : [])),
    models: encodeJSON(next.models).length <= encodeJSON(last.models).length ? next.models : last.models,
    guards: restrainGuards(last.guards, next.guards),
    batches: next.batches === 'Refuse' ? 'Refuse' : last.batches,
  };
}

/** Revoked keys are gone, replaced ones are the new ones, which are as long; `own` is the workspace as it will be. */
export function restrainCredentials(last: Credentials, next: Credentials, own: OwnPart): Credentials {
  const kept = own.keys.filter(({ name }) => Object.hasOwn(last.keys, name) && Object.hasOwn(next.keys, name));
  const keys = Object.fromEntries(kept.map(({ name }) => [name, next.keys[name]!]));
  if (upstreamLength(next) <= upstreamLength(last)) return { ...next, keys };
  return { ...last, upstreamKey: next.upstreamKey === null ? null : last.upstreamKey, keys };
}

function restrainKey(last: CompiledKey, next: CompiledKey): CompiledKey {
  return last.priority === 'Critical' && next.priority !== 'Critical' ? { ...last, priority: 'Normal' } : last;
}

function restrainGuards(last: Guards, next: Guards): Guards {
  const { unboundedRequestNano, ...limits } = last;
  const lowered = Object.entries(limits).map(([name, limit]) => [name, lower(limit, next[name as keyof Guards])]);
  const serves = unboundedRequestNano !== undefined && next.unboundedRequestNano !== undefined;
  return { ...(Object.fromEntries(lowered) as Guards), ...(serves ? { unboundedRequestNano } : {}) };
}

function limitOf({ overrides, limitNano }: CompiledBudget, values: readonly string[]): Nano {
  return overrides.find((one) => deepEqual(one.values, values))?.limitNano ?? limitNano;
}

function lower<T extends number | bigint>(last: T, next: T | undefined): T {
  return next !== undefined && next < last ? next : last;
}

function upstreamLength({ upstreamKey, upstreamSecret }: Credentials): number {
  return encodeJSON({ upstreamKey, upstreamSecret }).length;
}
