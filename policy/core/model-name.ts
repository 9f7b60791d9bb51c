/**
 * One model has several names: an alias, a dated one, `-latest`, `[1m]`, and those of cloud platforms. Limits, allow-lists
 * and prices all take them for the same model.
 */

import { globs, type Matcher } from './globs.ts';

/**
 * Strips the spellings that are documented to name the same model at the same price: `[1m]`, `-latest`, a release date,
 * and the global prefix and version of cloud platforms. Nothing else: a longer name is another model (claude-opus-5-9 is
 * not claude-opus-5), and a regional prefix has another price.
 */
export function canonicalModel(model: string): string {
  return model
    .replace(/\[1m\]$/, '')
    .replace(/^(?:global\.)?anthropic\./, '')
    .replace(/-v\d+(?::\d+)?$/, '')
    .replace(LATEST, '')
    .replace(/[-@]\d{8}$/, '');
}

/** Whether a name leaves it to the upstream which version of a model it is. */
export function isLatest(model: string): boolean {
  return LATEST.test(model);
}

const LATEST = /-latest$/;

/**
 * Matches what a limit lists, against each name that a model has: a pattern means every model that has a name like it. So
 * the dated name and `claude-haiku-4-5-*` both list claude-haiku-4-5. Upper and lower case are the same here.
 */
export function limitedModels(patterns: readonly string[]): Matcher {
  const written = patterns.map((pattern) => pattern.toLowerCase());
  const short = written.map(canonicalModel);
  const matches = globs([...written, ...short, ...short.map((pattern) => pattern.replace(ANY_DATE, ''))]);
  return (model) => matches(model.toLowerCase());
}

/** The end of a pattern that a release date may match. */
const ANY_DATE = /[-@](?:2?|20\d{0,6})\*\d*$/;

/** Matches what may be called, against each name that the price book has for a model. A pattern with `*` means what it says. */
export function allowedModels(patterns: readonly string[]): Matcher {
  return globs([...patterns, ...patterns.filter((pattern) => !pattern.includes('*')).map(canonicalModel)]);
}
