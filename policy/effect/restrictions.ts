/** Finds restrictions that no call can meet, models in them that no call can have, and keys to which they leave no model. */

import { type CompiledRestriction, type CompiledWorkspace, keysOf } from '../core/compiled-policy.ts';
import { scopeMatch, scopeMatchers } from '../core/matching.ts';
import { allowedModels } from '../core/model-name.ts';
import type { PriceBook } from '../prices/price-book.ts';
import { allowsModel, ratesAt, unmatchedModels } from './models.ts';
import { possibleCalls } from './possible-calls.ts';
import { unmatchedScope } from './unmatched.ts';

/** A sentence for each slip in the restrictions of a workspace; none of one without a key, which says so itself. */
export function restrictionSlips(workspace: CompiledWorkspace, book: PriceBook): readonly string[] {
  const { restrictions } = workspace.models;
  if (restrictions === undefined || workspace.keys.length === 0) return [];
  const context = { calls: possibleCalls({}, [workspace]), workspaces: [workspace], book };
  const slips = restrictions.flatMap(({ match, allow }, i) => {
    const field = `spec.models.restrictions[${i}]`;
    const unmatched = unmatchedScope(`${field}.match`, match, context);
    return [
      ...unmatched,
      ...(unmatched.length === 0 && meetsNobody(match, workspace) ? [restrictsNobody(field)] : []),
      ...unmatchedModels(`${field}.allow`, allow, context),
    ];
  });
  return [...slips, ...keysWithoutModel(workspace, book)];
}

function meetsNobody(match: CompiledRestriction['match'], workspace: CompiledWorkspace): boolean {
  const matchers = scopeMatchers(match);
  return keysOf(workspace).every((key) => scopeMatch(matchers, workspace, key) === false);
}

function restrictsNobody(field: string): string {
  return `${field}.match: no key has all that it lists, so it restricts nobody. Remove a list, or write a restriction for each.`;
}

/** The keys to which the restrictions that match all of their calls leave no model of the book. */
function keysWithoutModel(workspace: CompiledWorkspace, book: PriceBook): readonly string[] {
  const { restrictions = [], unknown } = workspace.models;
  const models = ratesAt(book, 0).filter(allowsModel(workspace));
  if (models.length === 0 || unknown === 'HighestPrice') return [];
  const narrowed = restrictions.map(({ match, allow }) => {
    const allows = allowedModels(allow);
    return { match: scopeMatchers(match), models: new Set(models.filter(({ names }) => names.some(allows))) };
  });
  return keysOf(workspace)
    .filter((key) => {
      const applied = narrowed.filter(({ match }) => scopeMatch(match, workspace, key) === true);
      return !models.some((model) => applied.every((one) => one.models.has(model)));
    })
    .map(
      ({ name }) =>
        `spec.models.restrictions: no model is left for calls with key "${name}", so they are refused (ModelNotAllowed). Let the lists that apply to it have a model in common, with spec.models.allow too.`,
    );
}
