/**
 * Which calls a scope means. A pattern is plain text in which `*` stands for any run of characters; it is never a
 * regular expression, so no pattern that a tenant writes can be slow.
 *
 * A call that lacks an attribute has the empty value there. Two rules keep that from being a way out:
 *  - Where callers may set the attribute and this one did not, a limit's scope matches whatever it lists: a caller
 *    that does not say which feature it calls for counts against every feature it may be calling for.
 *  - What loosens (exemptions) looks at attributes that the credential fixes and at nothing else.
 */

import type {
  Attributes,
  CompiledExemption,
  CompiledKey,
  CompiledScope,
  CompiledWorkspace,
} from './compiled-policy.ts';

/** Says whether a value matches. */
export type Matcher = (value: string) => boolean;

/** Matches as one of the patterns. Linear in pattern and value: the parts between stars are sought left to right. */
export function globs(patterns: readonly string[]): Matcher {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const open = patterns.filter((pattern) => pattern.includes('*')).map(glob);
  return (value) => exact.has(value) || open.some((matches) => matches(value));
}

function glob(pattern: string): Matcher {
  const parts = pattern.split('*');
  const head = parts[0]!;
  const tail = parts.at(-1)!;
  const middle = parts.slice(1, -1).filter((part) => part !== '');
  return (value) => {
    const end = value.length - tail.length;
    if (end < head.length || !value.startsWith(head) || !value.endsWith(tail)) return false;
    let at = head.length;
    for (const part of middle) {
      const found = value.indexOf(part, at);
      if (found === -1) return false;
      at = found + part.length;
    }
    return at <= end;
  };
}

/** Whether calls of a key are in a scope: all, none, or as this test of the call says. */
export type ScopeMatch = boolean | ScopeTest;

/** `attributes`: what the credential fixes over what the caller claimed. `model`: the one that will be sent. */
export type ScopeTest = (attributes: Attributes, model: string) => boolean;

/** Whether a limit's scope governs calls of `key`. */
export function scopeMatch(
  scope: CompiledScope,
  workspace: Pick<CompiledWorkspace, 'headers'>,
  key: CompiledKey,
): ScopeMatch {
  return scoping(scope, key, (name, matches) => {
    if (Object.hasOwn(key.attributes, name)) return matches(key.attributes[name]!);
    if (!isSetByCaller(workspace, key, name)) return matches('');
    return (attributes) => {
      const claimed = Object.hasOwn(attributes, name) ? attributes[name]! : '';
      return claimed === '' || matches(claimed);
    };
  });
}

/** Whether calls of `key` are exempt: claimed and lacking attributes never match, and where nothing is listed nobody is. */
export function isExempt(exempt: CompiledExemption, key: CompiledKey): boolean {
  const fixed: ByAttribute = (name, matches) => Object.hasOwn(key.attributes, name) && matches(key.attributes[name]!);
  const parts = [...scopings(exempt, key, fixed)];
  return parts.length > 0 && parts.every((part) => part === true);
}

/** Whether callers of `key` choose the attribute: a header carries it and the credential does not fix it. */
export function isSetByCaller(workspace: Pick<CompiledWorkspace, 'headers'>, key: CompiledKey, name: string): boolean {
  return Object.hasOwn(workspace.headers, name) && !Object.hasOwn(key.attributes, name);
}

type ByAttribute = (name: string, matches: Matcher) => ScopeMatch;

function scoping(scope: CompiledScope, key: CompiledKey, byAttribute: ByAttribute): ScopeMatch {
  const tests: ScopeTest[] = [];
  for (const part of scopings(scope, key, byAttribute)) {
    if (part === false) return false;
    if (part !== true) tests.push(part);
  }
  if (tests.length === 0) return true;
  return (attributes, model) => tests.every((test) => test(attributes, model));
}

const LISTS = { features: 'feature', customers: 'customer', users: 'user', departments: 'department' } as const;

function* scopings(scope: CompiledScope, key: CompiledKey, byAttribute: ByAttribute): Generator<ScopeMatch> {
  for (const [list, name] of Object.entries(LISTS)) {
    const patterns = scope[list as keyof typeof LISTS];
    if (patterns !== undefined) yield byAttribute(name, globs(patterns));
  }
  for (const [name, patterns] of Object.entries(scope.tags ?? {})) yield byAttribute(name, globs(patterns));
  if (scope.keys !== undefined) yield globs(scope.keys)(key.name);
  if (scope.models !== undefined) {
    const matches = globs(scope.models);
    yield (_attributes, model) => matches(model);
  }
}
