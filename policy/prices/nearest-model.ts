import { canonicalModel } from '../core/model-name.ts';
import { nearestName } from '../core/nearest-name.ts';

/** The one of `models` that an unknown name probably means: its words in another order, or a name like it; null for none. */
export function nearestModel(model: string, models: readonly string[]): string | null {
  const words = sortedWords(model);
  return models.find((one) => sortedWords(one) === words) ?? nearestName(model, models, canonicalModel);
}

/** `claude-4.5-sonnet` and `claude-sonnet-4-5` have the same. */
function sortedWords(model: string): string {
  return canonicalModel(model).split('-').toSorted().join('-');
}
