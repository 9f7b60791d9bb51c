import * as v from 'valibot';
import type { Attributes } from '../core/compiled-policy.ts';
import { mappingOf, textLike } from '../schema/schema-parts.ts';

const ATTRIBUTE = /^[a-z][a-z0-9_-]{0,62}$/;
const RESERVED = new Set('key model workspace namespace session agent parent-agent task complexity'.split(' '));
const LABEL = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const WHAT = 'a mapping of attributes to labels such as {department: acme.io/department}';

/** The setting `namespaceAttributes`: the label of namespaces that fixes each attribute. */
export const NAMESPACE_ATTRIBUTES = v.pipe(
  mappingOf(textLike(LABEL, 'the key of a label such as "acme.io/department"'), WHAT),
  v.check(
    (labels) => Object.keys(labels).every((name) => ATTRIBUTE.test(name) && !RESERVED.has(name)),
    `names an attribute that cannot be: write lower-case letters, digits, _ and -, and none of the reserved names (${[...RESERVED].join(', ')})`,
  ),
  v.transform((labels): Readonly<Record<string, string>> => Object.freeze(labels)),
);

interface Setting {
  readonly namespaceAttributes: Readonly<Record<string, string>>;
}

/**
 * The attributes that the platform fixes for every call of a namespace, over what workspace, key and caller say:
 * `namespace`, and those of the setting from its labels. Without the label an attribute has the empty value, so that a
 * tenant cannot choose it where the platform did not.
 */
export function namespaceAttributes(
  namespace: string,
  labels: Readonly<Record<string, string>>,
  setting: Setting,
): Attributes {
  const fixed = Object.entries(setting.namespaceAttributes).map(
    ([name, label]) => [name, Object.hasOwn(labels, label) ? labels[label]! : ''] as const,
  );
  return { ...Object.fromEntries(fixed), namespace };
}

/** Whether the platform fixes the attribute for the calls of every namespace. */
export function isNamespaceAttribute(name: string, setting: Setting): boolean {
  return name === 'namespace' || Object.hasOwn(setting.namespaceAttributes, name);
}
