/** Finds what a budget or a restriction names and no call can have, and says which name was probably meant. */

import type { CompiledBudget, CompiledExemption, CompiledScope, CompiledWorkspace } from '../core/compiled-policy.ts';
import { globs } from '../core/globs.ts';
import { attributeLists } from '../core/matching.ts';
import { nearestName } from '../core/nearest-name.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { unmatchedModels } from './models.ts';
import type { PossibleCalls } from './possible-calls.ts';

/** What calls can be, in the workspaces that a scope is about. */
export interface ScopeContext {
  readonly calls: PossibleCalls;
  readonly workspaces: readonly CompiledWorkspace[];
  readonly book: PriceBook;
}

/** A sentence for each value of a scope that no call can have. `field`: where the scope is. */
export function unmatchedScope(field: string, scope: CompiledScope, context: ScopeContext): readonly string[] {
  const { calls } = context;
  const lists = [...attributeLists(scope)].flatMap(({ list, attribute, patterns }) => {
    const { fixed, isOpen } = calls.valuesOf(attribute);
    return isOpen
      ? []
      : patterns.flatMap((pattern) => unmatched(`${field}.${list}`, pattern, fixed, `the ${attribute}`));
  });
  const models = unmatchedModels(`${field}.models`, scope.models ?? [], context);
  return [...lists, ...unmatchedKeys(`${field}.keys`, scope, calls), ...models];
}

/** A sentence for each value of `whenSpent.exempt` that no credential fixes, so that it exempts nothing. */
export function unmatchedExemption({ exempt }: CompiledBudget, calls: PossibleCalls): readonly string[] {
  if (exempt === undefined) return [];
  const field = 'spec.whenSpent.exempt';
  const lists = [...attributeLists(exempt)].flatMap(({ list, attribute, patterns }) => {
    const { fixed } = calls.valuesOf(attribute);
    const values = new Set([...fixed].filter((value) => value !== ''));
    return patterns.flatMap((pattern) => unmatched(`${field}.${list}`, pattern, values, `the ${attribute}`));
  });
  return [...lists, ...unmatchedKeys(`${field}.keys`, exempt, calls)];
}

/** A sentence for each attribute of `per` that no call has, so that all calls share one counter. */
export function unmatchedPer({ per, spanning }: CompiledBudget, calls: PossibleCalls): readonly string[] {
  if (spanning !== undefined) return [];
  return per
    .filter((attribute) => !calls.attributes.includes(attribute))
    .map((attribute) => {
      const others = calls.attributes.filter((name) => name !== 'namespace');
      const meant = didYouMean(nearestName(attribute, others));
      return `spec.per: no key of the workspace has the attribute ${attribute} and no header sets it, so all calls share one counter.${meant || ` Give it to keys (spec.keys[].attributes of the workspace).`}`;
    });
}

/** A sentence for each override that changes no limit. */
export function unmatchedOverrides(
  { overrides, per, limitNano }: CompiledBudget,
  calls: PossibleCalls,
): readonly string[] {
  const possible = per.map((attribute) => ({ attribute, ...calls.valuesOf(attribute) }));
  return overrides.flatMap((override, i) => {
    const field = `spec.limit.overrides[${i}]`;
    const missing = possible.find(({ fixed, isOpen }, n) => !isOpen && !fixed.has(override.values[n]!));
    if (missing !== undefined) {
      const value = override.values[possible.indexOf(missing)]!;
      return unmatched(`${field}.values`, value, missing.fixed, `the ${missing.attribute}`);
    }
    const claimed = possible.find(({ fixed }, n) => !fixed.has(override.values[n]!));
    if (claimed === undefined || override.limitNano <= limitNano) return [];
    return `${field}: callers set the ${claimed.attribute}, so it cannot raise the limit. Let a key fix it (spec.keys[].attributes of the workspace).`;
  });
}

function unmatchedKeys(field: string, { keys = [] }: CompiledExemption, calls: PossibleCalls): readonly string[] {
  return keys.flatMap((pattern) => unmatched(field, pattern, new Set(calls.keys), 'the name'));
}

/** The sentence about a pattern that matches none of the values; nothing if it matches one. */
function unmatched(field: string, pattern: string, values: ReadonlySet<string>, what: string): readonly string[] {
  if ([...values].some(globs([pattern]))) return [];
  const named = [...values].filter((value) => value !== '');
  const meant = didYouMean(nearestName(pattern, named));
  const remedy = named.length === 0 ? ' Give it to a key, or remove it.' : ` There is ${listed(named)}.`;
  return [`${field}: no key has ${what} "${pattern}".${meant || remedy}`];
}

function didYouMean(name: string | null): string {
  return name === null ? '' : ` Did you mean "${name}"?`;
}

function listed(names: readonly string[]): string {
  const shown = names.toSorted().slice(0, 3);
  const rest = names.length - shown.length;
  return `${shown.map((name) => `"${name}"`).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
