/**
 * Generates crds/types.gen.ts, crds/fields.gen.ts and crds/kinds.gen.ts from the CRDs. With `--check` it writes nothing and
 * exits 1 if a file is out of date.
 *
 * The types are those of a stored object, which has its defaults: a field with a default is required.
 */

import { join } from 'node:path';
import { type JSONSchema, compile } from 'json-schema-to-typescript';
import { type CRD, type Schema, readCRDs } from './crds.ts';
import { generate } from './generated.ts';

const banner = `// Made from the CRDs by hack/generate/types.ts; do not edit.
//
// The types are those of an object that the API server has stored: a field with a default is there, so it is required.`;

/** What Tollgate reads of an object's metadata, as the API server sends it. */
const metadata: JSONSchema = {
  title: 'ObjectMeta',
  description: 'What Tollgate reads of the standard object metadata.',
  type: 'object',
  required: ['name', 'namespace'],
  additionalProperties: false,
  properties: {
    name: { type: 'string' },
    namespace: { type: 'string' },
    uid: { type: 'string' },
    generation: { type: 'integer' },
    resourceVersion: { type: 'string' },
    creationTimestamp: { type: 'string' },
    deletionTimestamp: { type: 'string' },
    labels: { type: 'object', additionalProperties: { type: 'string' } },
    annotations: { type: 'object', additionalProperties: { type: 'string' } },
  },
};

/** One schema with a definition for each exported type, so that what both kinds share is there once. */
function definitions(crds: readonly CRD[]): JSONSchema {
  const types: Record<string, JSONSchema> = { ObjectMeta: metadata };
  for (const { kind, apiVersion, schema } of crds) {
    const { spec, status } = schema.properties!;
    const { conditions } = status!.properties!;
    types['Condition'] = { ...stored(conditions!.items!), description: 'A standard condition.' };
    types[`${kind}Spec`] = stored(spec!);
    types[`${kind}Status`] = withConditions(stored(status!));
    types[kind] = {
      description: schema.description!,
      type: 'object',
      additionalProperties: false,
      required: ['apiVersion', 'kind', 'metadata', 'spec'],
      properties: {
        apiVersion: { const: apiVersion },
        kind: { const: kind },
        metadata: reference('ObjectMeta'),
        spec: reference(`${kind}Spec`),
        status: reference(`${kind}Status`),
      },
    };
  }
  return { type: 'object', additionalProperties: false, definitions: types };
}

function withConditions(status: JSONSchema): JSONSchema {
  const conditions = { ...status.properties!['conditions']!, items: reference('Condition') };
  return { ...status, properties: { ...status.properties, conditions } };
}

/** What of a schema shapes the type of the stored object: closed, and with its defaults filled in. */
function stored(schema: Schema): JSONSchema {
  const copy: JSONSchema = {};
  if (schema.type) copy.type = schema.type;
  if (schema.description) copy.description = describe(schema);
  if (schema.enum) copy.enum = [...schema.enum];
  if (schema.items) copy.items = stored(schema.items);
  if (schema.type === 'object') copy.additionalProperties = false;
  if (schema.additionalProperties) copy.additionalProperties = stored(schema.additionalProperties);
  if (schema.properties) {
    const fields = Object.entries(schema.properties);
    const filled = fields.filter(([, field]) => field.default !== undefined).map(([name]) => name);
    copy.required = [...(schema.required ?? []), ...filled];
    copy.properties = Object.fromEntries(fields.map(([name, field]) => [name, stored(field)]));
  }
  return copy;
}

function describe({ description, default: value }: Schema): string {
  return value === undefined ? description! : `${description} Default: ${JSON.stringify(value)}.`;
}

function reference(type: string): JSONSchema {
  return { $ref: `#/definitions/${type}` };
}

/** The compiler writes an empty type for the schema as a whole, and at each definition that it belongs to it. */
function tidy(source: string): string {
  return source
    .replace('export interface Types {}\n', '')
    .replaceAll(/ \*\n \* This interface was referenced by [^/]*\n (?=\*\/)/g, ' ');
}

/** `spec.keys[].name`, `spec.attributes{}`, with everything on the way there. */
function* paths(schema: Schema, path: string): Generator<string> {
  yield path;
  for (const [name, field] of Object.entries(schema.properties ?? {})) yield* paths(field, `${path}.${name}`);
  if (schema.items) yield* paths(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* paths(schema.additionalProperties, `${path}{}`);
}

/** Every field of each kind, to be held against what an API server serves. */
function fieldsSource(crds: readonly CRD[]): string {
  const kinds = crds.map(({ kind, schema: { properties = {} } }) => {
    const fields = ['spec', 'status'].flatMap((part) => [...paths(properties[part]!, part)]);
    return `  ${kind}: [\n${fields.map((field) => `    '${field}',`).join('\n')}\n  ],`;
  });
  return `// Made from the CRDs by hack/generate/types.ts; do not edit.

/** Every field of each kind: \`spec.keys[].name\`, \`spec.attributes{}\`. */
export const fields = {
${kinds.join('\n')}
} as const satisfies Readonly<Record<string, readonly string[]>>;
`;
}

/** Each kind as the API server's paths name it. */
function kindsSource(crds: readonly CRD[]): string {
  const kinds = crds.map(({ kind, apiVersion, plural }) => {
    const name = plural.replace('claude', '');
    return `/** The kind ${kind}. */\nexport const ${name} = { apiVersion: '${apiVersion}', kind: '${kind}', plural: '${plural}' } as const;\n`;
  });
  return `// Made from the CRDs by hack/generate/types.ts; do not edit.\n\n${kinds.join('\n')}`;
}

const crds = readCRDs();
const source = await compile(definitions(crds), 'Types', {
  bannerComment: banner,
  unreachableDefinitions: true,
  style: { singleQuote: true, printWidth: 120 },
});
const folder = join(import.meta.dirname, '../../crds');
const files = new Map([
  [join(folder, 'types.gen.ts'), tidy(source)],
  [join(folder, 'fields.gen.ts'), fieldsSource(crds)],
  [join(folder, 'kinds.gen.ts'), kindsSource(crds)],
]);
generate(files, process.argv.includes('--check'));
