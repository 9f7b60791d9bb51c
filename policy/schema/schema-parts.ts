import * as v from 'valibot';
import { NOT_SET } from './read-by-schema.ts';

// Parts of the schemas of settings, prices and variables. Each message says what to write (validate.ts).

/** A text that is not empty. */
export function text(what: string) {
  return v.pipe(v.string(what), v.nonEmpty(what));
}

export function textLike(form: RegExp, what: string) {
  return v.pipe(v.string(what), v.regex(form, what));
}

/** A whole number between two, both included; `of` names the unit. */
export function wholeNumber(least: number, most: number, of = '') {
  const what = `a whole number${of && ` of ${of}`} from ${least} to ${most}`;
  return v.pipe(v.number(what), v.integer(what), v.minValue(least, what), v.maxValue(most, what));
}

export function oneOf<const T extends readonly string[]>(...words: T) {
  return v.picklist(words, words.join(', ').replace(/, ([^,]*)$/, ' or $1'));
}

/** A mapping with these fields and no others; `note` ends the message about any other field. */
export function mapping<E extends v.ObjectEntries>(entries: E, note = '') {
  const schema = v.strictObject(entries, (issue) => keyProblem(issue, entries, note));
  return v.pipe(v.custom<v.InferInput<typeof schema>>(isMapping, 'a mapping'), schema);
}

/** A mapping of any names to values of one kind. */
export function mappingOf<S extends v.GenericSchema>(values: S, what: string) {
  const schema = v.record(v.string(), values, what);
  return v.pipe(v.custom<v.InferInput<typeof schema>>(isMapping, what), schema);
}

/** Some fields of an object that may have others, such as an environment. */
export function fieldsOf<E extends v.ObjectEntries>(entries: E) {
  return v.object(entries, (issue) => keyProblem(issue, entries));
}

/** The predicate for a field that is missing or unknown. */
function keyProblem({ expected, path }: v.BaseIssue<unknown>, entries: v.ObjectEntries, note = ''): string {
  const { key, input } = path![0];
  if (expected !== 'never') return `${NOT_SET}: write ${(entries[String(key)] as { message?: string }).message}`;
  const others = Object.keys(input as object).filter((name) => name !== key && !Object.hasOwn(entries, name));
  const are = others.length === 0 ? 'is' : `and ${others.join(', ')} are`;
  return `${are} unknown: write only ${Object.keys(entries).join(', ')}${note}`;
}

function isMapping(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
