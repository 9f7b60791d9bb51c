import type { CompiledWorkspace } from '../core/compiled-policy.ts';
import { allowedModels, limitedModels } from '../core/model-name.ts';
import { nearestModel } from '../prices/nearest-model.ts';
import { knownName, type PriceBook, type Rate, rateDuring } from '../prices/price-book.ts';

/** The rates of the price book at an instant (milliseconds), one for each model. */
export function ratesAt(book: PriceBook, at: number): readonly Rate[] {
  return [...new Set(book.models.values())].map((rates) => rateDuring(rates, at));
}

/** Whether the workspace allows the model by any of its names. */
export function allowsModel({ models }: Pick<CompiledWorkspace, 'models'>): (model: Rate) => boolean {
  const matches = allowedModels(models.allow);
  return ({ names }) => names.some(matches);
}

/**
 * The sentence about a pattern that names no model of the price book; null if it names one, or if a workspace lets callers
 * ask for models that the book lacks.
 */
export function namesNoModel(
  field: string,
  pattern: string,
  workspaces: readonly Pick<CompiledWorkspace, 'models'>[],
  book: PriceBook,
): string | null {
  if (workspaces.some(({ models }) => models.unknown === 'HighestPrice')) return null;
  const names = [...book.models.keys()];
  if (names.some(limitedModels([pattern])) || knownName(book, pattern) !== null) return null;
  const written = pattern.replaceAll('*', '').toLowerCase();
  const meant =
    nearestPattern(pattern, names) ??
    nearestModel(pattern, names) ??
    names.find((name) => written.length > 3 && name.includes(written));
  const remedy =
    meant === undefined
      ? 'Write a model of the price book such as "claude-haiku-4-5", or a pattern such as "claude-haiku-*"'
      : `Did you mean "${meant}"? Or write "*${written}*" for all models with that in their name`;
  return `${field}: no model of the price book is named "${pattern}". ${remedy}.`;
}

/** `claude-opus-*` for `claude-opsu-*`: what as many words of models begin with; null unless the pattern ends in `-*`. */
function nearestPattern(pattern: string, names: readonly string[]): string | null {
  if (!pattern.endsWith('-*')) return null;
  const start = pattern.slice(0, -2);
  const count = start.split('-').length;
  const longer = names.map((name) => name.split('-')).filter((words) => words.length > count);
  const nearest = nearestModel(
    start,
    longer.map((words) => words.slice(0, count).join('-')),
  );
  return nearest === null ? null : `${nearest}-*`;
}

/** A sentence for each pattern of models that no call to the workspaces can be of. */
export function unmatchedModels(
  field: string,
  patterns: readonly string[],
  { workspaces, book }: { readonly workspaces: readonly Pick<CompiledWorkspace, 'models'>[]; readonly book: PriceBook },
): readonly string[] {
  return patterns.flatMap(
    (pattern) =>
      namesNoModel(field, pattern, workspaces, book) ?? unallowedModels(field, pattern, workspaces, book) ?? [],
  );
}

/** The sentence about a pattern of models of which no workspace allows one; null if there is one. */
function unallowedModels(
  field: string,
  pattern: string,
  workspaces: readonly Pick<CompiledWorkspace, 'models'>[],
  book: PriceBook,
): string | null {
  const matches = limitedModels([pattern]);
  const limited = ratesAt(book, 0).filter(({ names }) => names.some(matches));
  if (limited.length === 0 || workspaces.length === 0) return null;
  if (workspaces.some((one) => limited.some(allowsModel(one)))) return null;
  return `${field}: the workspace allows no model that "${pattern}" names (spec.models.allow). Remove it here, or allow it there.`;
}
