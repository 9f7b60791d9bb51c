import type { Attributes, CompiledScope } from '../core/compiled-policy.ts';
import { escapeText, isPlain, oneSpelling } from '../core/plain-text.ts';
import { NotAccepted } from './not-accepted.ts';

/** Values of attributes in a spec, in the spelling that calls have. Throw `NotAccepted` for text that is not plain. */

export function attributesAt(field: string, attributes: Attributes): Attributes {
  return mapped(attributes, (value, name) => valueAt(`${field}.${name}`, value));
}

export function valuesAt(field: string, values: readonly string[]): readonly string[] {
  return values.map((value) => valueAt(field, value));
}

/** The lists of a scope or of an exemption. */
export function scopeAt(field: string, { tags, ...lists }: CompiledScope): CompiledScope {
  const compiled = mapped(lists, (values, name) => valuesAt(`${field}.${name}`, values));
  return tags === undefined
    ? compiled
    : { ...compiled, tags: mapped(tags, (one, name) => valuesAt(`${field}.tags.${name}`, one)) };
}

function valueAt(field: string, value: string): string {
  if (isPlain(value)) return oneSpelling(value);
  const message = `${field}: remove the control or invisible characters of "${escapeText(value)}".`;
  throw new NotAccepted('Invalid', message);
}

function mapped<T, U>(
  record: Readonly<Partial<Record<string, T>>>,
  map: (value: T, name: string) => U,
): Record<string, U> {
  return Object.fromEntries(
    Object.entries(record as Record<string, T>).map(([name, value]) => [name, map(value, name)]),
  );
}
