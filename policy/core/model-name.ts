/**
 * One Claude model has several names: an alias, a dated one, `-latest`, `[1m]`, and those of cloud platforms. Limits,
 * allow-lists and prices all take them for the same model.
 */

import { globs, type Matcher } from './globs.ts';

/** The API has no longer name. */
const MAX_LENGTH = 256;

/** What platforms write before the name: paths of Vertex AI and of gateways, ARNs, and Bedrock's `us.anthropic.`. */
const PLATFORM =
  /^(?:arn:aws[a-z-]*:bedrock:[^/]*\/|publishers\/anthropic\/models\/|(?:anthropic|bedrock|vertex_ai)\/)?(?:(?:[a-z-]+\.)?anthropic\.)?(?=claude)/;

/** What may stand after the name: `[1m]`, `-latest`, a release date, and the versions of Bedrock and Vertex AI. */
const VERSION = /(?:\[1m\]|[-@]latest|@default|[-@]\d{8}|-v\d+(?::\d+){0,2}k?)$/;

/**
 * The shortest spelling of a model of Anthropic. Only what is documented to name the same model is left out: a longer name
 * is another model (claude-opus-5-9 is not claude-opus-5), and so is any name that does not begin with `claude`.
 */
export function canonicalModel(model: string): string {
  let name = withoutPlatform(model);
  if (!name.startsWith('claude')) return model;
  for (let shorter = name.replace(VERSION, ''); shorter !== name; shorter = name.replace(VERSION, '')) name = shorter;
  return name;
}

/** `us.anthropic.claude-sonnet-4.5-*` → `claude-sonnet-4-5-*` */
function withoutPlatform(model: string): string {
  if (model.length > MAX_LENGTH) return model;
  const name = model.replace(PLATFORM, '');
  return name.startsWith('claude') ? name.replace(/(?<=\d)\.(?=\d)/g, '-') : model;
}

/** Whether a name leaves it to the upstream which version of a model it is. */
export function isLatest(model: string): boolean {
  return /[-@]latest(?![a-z0-9])/.test(model);
}

/** Whether a name asks a cloud platform for inference within a region, such as Bedrock's `us.anthropic.claude-…`. */
export function isRegional(model: string): boolean {
  return /(?:^|\/)(?!global\.)[a-z-]+\.anthropic\.claude/.test(model);
}

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

/** Matches what may be called, against each name that the price book has for a model. */
export function allowedModels(patterns: readonly string[]): Matcher {
  return globs(patterns.flatMap(allowedForms));
}

/** Matches the patterns of an allow-list that allow nothing more than `patterns` do. */
export function narrowerPatterns(patterns: readonly string[]): Matcher {
  const matches = allowedModels(patterns);
  return (pattern) =>
    pattern.includes('*') ? allowedForms(pattern).every(matches) : allowedForms(pattern).some(matches);
}

/** As a pattern is compared: as written, and in the spelling of the price book. One with `*` keeps what follows the name. */
function allowedForms(pattern: string): readonly string[] {
  return [pattern, pattern.includes('*') ? withoutPlatform(pattern) : canonicalModel(pattern)];
}
