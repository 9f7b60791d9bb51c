/**
 * The restrained form of a resource whose edit cannot be taken because it is too large: the last form, with what the edit
 * suspends, revokes and lowers, and with nothing that it adds. No form is longer than the last one (a word or two aside),
 * so there is always room for it, whatever others have put into the shard.
 */

import { allowsUpstream, type Settings } from '../config/settings.ts';
import { enforcedFrom } from '../core/budget-period.ts';
import { encodeJSON } from '../core/canonical-json.ts';
import type {
  CompiledBudget,
  CompiledKey,
  CompiledModels,
  CompiledRestriction,
  CompiledSpanning,
  Credentials,
  Disclosure,
  Guards,
} from '../core/compiled-policy.ts';
import { deepEqual } from '../core/deep-equal.ts';
import { narrowerPatterns } from '../core/model-name.ts';
import { type Nano, subtract, ZERO } from '../core/money.ts';
import type { OwnPart } from './compile-workspace.ts';

/** Every amount is the lower one; a grant that the edit does not cover is gone, and so is an exemption that it changes. */
export function restrainBudget(last: CompiledBudget, next: CompiledBudget): CompiledBudget {
  const { observeUntil: _, exempt, totalNano, workspaceReservePercent: percent, spanning, ...rest } = last;
  const isObserving = last.mode === 'Observe' && next.mode === 'Observe';
  return {
    ...rest,
    mode: isObserving ? 'Observe' : 'Enforce',
    ...(isObserving ? { observeUntil: lower(enforcedFrom(last), enforcedFrom(next)) } : {}),
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
    grants: restrainGrants(last.grants, next.grants),
    ...(exempt !== undefined && deepEqual(exempt, next.exempt) ? { exempt } : {}),
    criticalExtraNano: lower(last.criticalExtraNano, next.criticalExtraNano),
    ...(spanning === undefined ? {} : { spanning: restrainSpanning(spanning, next.spanning) }),
  };
}

/** What is left of each grant is taken from one of the edit that covers its time; two cannot have the same dollars of it. */
function restrainGrants(last: Grants, next: Grants): Grants {
  const left = next.map(({ amountNano, from, until }) => ({ amountNano, from, until }));
  return last.flatMap((grant) => {
    const covers = left.filter(({ from, until }) => from <= grant.from && until >= grant.until);
    const most = covers.reduce((best, one) => (one.amountNano > best.amountNano ? one : best), covers[0]!);
    if (covers.length === 0 || most.amountNano === ZERO) return [];
    const amountNano = lower(grant.amountNano, most.amountNano);
    most.amountNano = subtract(most.amountNano, amountNano);
    return { ...grant, amountNano };
  });
}

type Grants = CompiledBudget['grants'];

const DISCLOSURES: readonly Disclosure[] = ['Name', 'Percent', 'Amounts'];

function restrainSpanning(last: CompiledSpanning, next: CompiledSpanning | undefined): CompiledSpanning {
  const shown = [last.disclosure, next?.disclosure ?? 'Name'];
  return { ...last, disclosure: DISCLOSURES.find((level) => shown.includes(level))! };
}

/** Keys that the edit removes are gone, and guards are the lower ones. */
export function restrainWorkspace(last: OwnPart, next: OwnPart): OwnPart {
  const { uid, namespaceUid, namespaceAttributes } = next;
  const kept = new Map(next.keys.map((key) => [key.name, key]));
  const { files, ...rest } = last;
  return {
    ...rest,
    ...(files === undefined || next.files === undefined ? {} : { files }),
    ...(uid === undefined || namespaceUid === undefined ? {} : { uid, namespaceUid }),
    ...(namespaceAttributes === undefined ? {} : { namespaceAttributes }),
    suspend: last.suspend || next.suspend,
    keys: last.keys.flatMap((key) => (kept.has(key.name) ? restrainKey(key, kept.get(key.name)!) : [])),
    models: restrainModels(last.models, next.models),
    guards: restrainGuards(last.guards, next.guards),
    batches: next.batches === 'Refuse' ? 'Refuse' : last.batches,
    ...(last.unknownFields === 'Forward' && next.unknownFields === 'Refuse' ? { unknownFields: 'Refuse' } : {}),
  };
}

/**
 * Revoked keys are gone, replaced ones are the new ones, which are as long; `own` is the workspace as it will be. The
 * upstream key of the edit goes to no other host than the edit names, and none to a host that is not allowed any more.
 */
export function restrainCredentials(
  last: Credentials,
  next: { readonly own: OwnPart; readonly credentials: Credentials },
  own: OwnPart,
  settings: Settings,
): Credentials {
  const { upstreamKey, keys: nextKeys } = next.credentials;
  const kept = own.keys.filter(({ name }) => Object.hasOwn(last.keys, name) && Object.hasOwn(nextKeys, name));
  const keys = Object.fromEntries(kept.map(({ name }) => [name, nextKeys[name]!]));
  const isSameHost = next.own.baseURL === own.baseURL;
  if (isSameHost && upstreamLength(next.credentials) <= upstreamLength(last)) return { ...next.credentials, keys };
  const isRevoked = upstreamKey === null || !allowsUpstream(settings, own.baseURL);
  return { ...last, upstreamKey: isRevoked ? null : last.upstreamKey, keys };
}

/** Every restriction stays, and one that the edit narrows is narrower. */
function restrainModels(last: CompiledModels, next: CompiledModels): CompiledModels {
  const unknown = last.unknown === 'Refuse' ? last.unknown : next.unknown;
  return {
    allow: restrainAllow(last.allow, next.allow, last.unknown.length - unknown.length),
    unknown,
    ...(last.restrictions === undefined
      ? {}
      : { restrictions: last.restrictions.map((one) => restrainRestriction(one, next.restrictions)) }),
  };
}

function restrainRestriction(
  last: CompiledRestriction,
  edited: readonly CompiledRestriction[] = [],
): CompiledRestriction {
  const next = edited.find(({ name, match }) => name === last.name && deepEqual(match, last.match));
  return next === undefined ? last : { ...last, allow: restrainAllow(last.allow, next.allow) };
}

/**
 * What both lists allow. If that is longer than the last list by more than `spare` characters, the last one without what
 * the edit allows nothing of.
 */
function restrainAllow(last: readonly string[], next: readonly string[], spare = 0): readonly string[] {
  const [inLast, inNext] = [narrowerPatterns(last), narrowerPatterns(next)];
  const more = last.filter((pattern) => inNext(pattern) && !next.includes(pattern));
  const both = [...next.filter(inLast), ...more];
  if (encodeJSON(both).length <= encodeJSON(last).length + spare) return both;
  return last.filter((pattern) => inNext(pattern) || next.some(narrowerPatterns([pattern])));
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
