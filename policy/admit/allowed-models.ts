import type { Attributes, CompiledKey, CompiledRestriction } from '../core/compiled-policy.ts';
import type { Matcher } from '../core/globs.ts';
import { matchesAny, scopeMatch, type ScopeMatchers, scopeMatchers } from '../core/matching.ts';
import { allowedModels } from '../core/model-name.ts';
import { namesOf, possibleNames } from '../prices/price-book.ts';
import type { ResolvedWorkspace } from './resolved-workspace.ts';

interface ReadRestriction {
  readonly restriction: CompiledRestriction;
  readonly match: ScopeMatchers;
  readonly allows: Matcher;
}

/**
 * The models that the calls of a workspace may use: those in its allow-list and in the list of each restriction that
 * matches the call. All keys share it: patterns are read at the first call, and lists searched once for each model of the
 * price book, since a batch asks a hundred thousand times.
 */
export class AllowedModels {
  readonly #workspace: Pick<ResolvedWorkspace, 'models' | 'headers' | 'prices'>;
  readonly #lacking = new Map<string, 'Workspace' | readonly ReadRestriction[]>();
  #lists: { readonly allows: Matcher; readonly restrictions: readonly ReadRestriction[] } | null = null;

  constructor(workspace: Pick<ResolvedWorkspace, 'models' | 'headers' | 'prices'>) {
    this.#workspace = workspace;
  }

  /** Whose list lacks the model under each of its names: the workspace's, or a restriction's. Null if none does. */
  lackedBy(key: CompiledKey, model: string, claimed: Attributes): 'Workspace' | CompiledRestriction | null {
    const lacking = this.#lacking.get(model) ?? this.#search(model);
    if (lacking === 'Workspace') return lacking;
    if (lacking.length === 0) return null;
    const attributes = { ...claimed, ...key.attributes };
    const models = possibleNames(this.#workspace.prices, model);
    const matches = ({ match }: ReadRestriction) =>
      matchesAny(scopeMatch(match, this.#workspace, key), attributes, models);
    return lacking.find(matches)?.restriction ?? null;
  }

  /** The lists that lack the model. Kept for a model of the book only, since callers can make up names without end. */
  #search(model: string): 'Workspace' | readonly ReadRestriction[] {
    const { prices } = this.#workspace;
    this.#lists ??= this.#readLists();
    const { allows, restrictions } = this.#lists;
    const names = namesOf(prices, model);
    const lacking = names.some(allows) ? restrictions.filter((one) => !names.some(one.allows)) : 'Workspace';
    if (prices.models.has(model)) this.#lacking.set(model, lacking);
    return lacking;
  }

  #readLists() {
    const { allow, restrictions = [] } = this.#workspace.models;
    return {
      allows: allowedModels(allow),
      restrictions: restrictions.map((restriction) => ({
        restriction,
        match: scopeMatchers(restriction.match),
        allows: allowedModels(restriction.allow),
      })),
    };
  }
}
