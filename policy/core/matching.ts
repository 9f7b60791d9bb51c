/**
 * Matches calls against scopes.
 *
 * A call that lacks an attribute has the empty value for it. Two rules keep this from bypassing a limit:
 *  - If callers may set the attribute and this one did not, a limit's scope matches whatever it lists: a caller that
 *    does not name its feature counts against every feature.
 *  - Exemptions look only at attributes that the credential fixes.
 * A spanning budget limits those who write credentials, so its scope looks only at attributes that the platform fixes.
 */

import type {
  Attributes,
  CompiledExemption,
  CompiledKey,
  CompiledScope,
  CompiledWorkspace,
} from './compiled-policy.ts';
import { globs, type Matcher } from './globs.ts';
import { limitedModels } from './model-name.ts';

/** Whether calls of a key are in a scope: all (true), none (false), or those that pass a test. */
export type ScopeMatch = boolean | ScopeTest;

/** `attributes`: those set by the caller, overridden by those that the credential fixes. `model`: the one that is sent. */
export type ScopeTest = (attributes: Attributes, model: string) => boolean;

/** The lists of a scope with their patterns read, which all keys can share. */
export interface ScopeMatchers {
  readonly attributes: readonly { readonly attribute: string; readonly matches: Matcher }[];
  readonly keys: Matcher | null;
  readonly models: Matcher | null;
}

export function scopeMatchers(scope: CompiledScope): ScopeMatchers {
  const { keys, models } = scope;
  return {
    attributes: [...attributeLists(scope)].map(({ attribute, patterns }) => ({ attribute, matches: globs(patterns) })),
    keys: keys === undefined ? null : globs(keys),
    models: models === undefined ? null : limitedModels(models),
  };
}

/** Whether calls of `key` are in the scope of a limit. */
export function scopeMatch(scope: ScopeMatchers, workspace: ClaimRules, key: CompiledKey): ScopeMatch {
  return combined(scope, key, (name, matches) => {
    if (Object.hasOwn(key.attributes, name)) return matches(key.attributes[name]!);
    if (!isSetByCaller(workspace, key, name)) return matches('');
    return (attributes) => {
      const claimed = Object.hasOwn(attributes, name) ? attributes[name]! : '';
      return claimed === '' || matches(claimed);
    };
  });
}

/**
 * Whether calls of a workspace are in the scope of a spanning budget. `fixed`: the attributes that the platform fixes; one
 * that it does not fix any more matches every list, since tenants would choose it.
 */
export function spanningScopeMatch(scope: ScopeMatchers, fixed: Attributes, key: CompiledKey): ScopeMatch {
  return combined(scope, key, (name, matches) => !Object.hasOwn(fixed, name) || matches(fixed[name]!));
}

/** Whether a call is in a scope under one of these names of its models. */
export function matchesAny(scope: ScopeMatch, attributes: Attributes, models: readonly string[]): boolean {
  return typeof scope === 'boolean' ? scope : models.some((model) => scope(attributes, model));
}

/** Whether calls of `key` are exempt. Attributes that callers set or lack never match, and an empty exemption has no calls. */
export function isExempt(exempt: ScopeMatchers, key: CompiledKey): boolean {
  const fixed: ByAttribute = (name, matches) => {
    const value = Object.hasOwn(key.attributes, name) ? key.attributes[name]! : '';
    return value !== '' && matches(value);
  };
  const parts = [...listMatches(exempt, key, fixed)];
  return parts.length > 0 && parts.every((part) => part === true);
}

/** What says which attributes callers may set. */
export type ClaimRules = Pick<CompiledWorkspace, 'headers' | 'metadataUser'>;

/**
 * What Claude Code says of every call: the session, which its subagents share, and the agent, of which the main one has none.
 * Callers of every workspace may set them.
 */
export const RUN_ATTRIBUTES: readonly string[] = ['session', 'agent'];

/** The attributes that callers of a workspace may set where their credential does not fix them. */
export function claimableAttributes({ headers, metadataUser }: ClaimRules): readonly string[] {
  const user = metadataUser === 'Claim' ? ['user'] : [];
  return [...new Set([...Object.keys(headers), ...user, ...RUN_ATTRIBUTES])];
}

/** Whether callers of `key` set the attribute: they may, and the credential does not fix it. */
export function isSetByCaller(workspace: ClaimRules, key: CompiledKey, name: string): boolean {
  if (Object.hasOwn(key.attributes, name)) return false;
  if (RUN_ATTRIBUTES.includes(name)) return true;
  return Object.hasOwn(workspace.headers, name) || (name === 'user' && workspace.metadataUser === 'Claim');
}

type ByAttribute = (name: string, matches: Matcher) => ScopeMatch;

function combined(scope: ScopeMatchers, key: CompiledKey, byAttribute: ByAttribute): ScopeMatch {
  const tests: ScopeTest[] = [];
  for (const part of listMatches(scope, key, byAttribute)) {
    if (part === false) return false;
    if (part !== true) tests.push(part);
  }
  if (tests.length === 0) return true;
  return (attributes, model) => tests.every((test) => test(attributes, model));
}

const LISTS = { features: 'feature', customers: 'customer', users: 'user', departments: 'department' } as const;

/** The patterns that a scope or an exemption has for one attribute. */
interface AttributeList {
  /** Its field: `features`, `tags.project`. */
  readonly list: string;
  readonly attribute: string;
  readonly patterns: readonly string[];
}

/** The lists of a scope or an exemption that look at attributes. */
export function* attributeLists(scope: CompiledExemption): Generator<AttributeList> {
  for (const [list, attribute] of Object.entries(LISTS)) {
    const patterns = scope[list as keyof typeof LISTS];
    if (patterns !== undefined) yield { list, attribute, patterns };
  }
  for (const [attribute, patterns] of Object.entries(scope.tags ?? {})) {
    yield { list: `tags.${attribute}`, attribute, patterns };
  }
}

function* listMatches(
  { attributes, keys, models }: ScopeMatchers,
  key: CompiledKey,
  byAttribute: ByAttribute,
): Generator<ScopeMatch> {
  for (const { attribute, matches } of attributes) yield byAttribute(attribute, matches);
  if (keys !== null) yield keys(key.name);
  if (models !== null) yield (_attributes, model) => models(model);
}
