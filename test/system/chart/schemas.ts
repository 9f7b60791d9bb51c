import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** What an API server says of itself on /openapi/v2. */
interface OpenApi {
  readonly definitions: Readonly<Record<string, Definition>>;
}

interface Definition {
  readonly [field: string]: unknown;
  readonly 'x-kubernetes-group-version-kind'?: readonly { group: string; version: string; kind: string }[];
}

const INT_OR_STRING = { anyOf: [{ type: 'integer' }, { type: 'string' }] };
/** Written as a number too. */
const QUANTITY = { anyOf: [{ type: 'number' }, { type: 'string' }] };

/**
 * Writes the schemas of an API server as kubeconform reads them, strict: a field that does not exist is a mistake.
 * Returns the location to name to it.
 */
export function writeSchemas(folder: string, openApi: string): string {
  mkdirSync(folder, { recursive: true });
  const { definitions } = JSON.parse(openApi) as OpenApi;
  const all = pathToFileURL(join(folder, 'definitions.json')).href;
  const closed = Object.entries(definitions).map(([name, definition]) => [name, close(name, definition)]);
  writeFileSync(join(folder, 'definitions.json'), JSON.stringify({ definitions: Object.fromEntries(closed) }));
  for (const [name, definition] of Object.entries(definitions))
    for (const { group, version, kind } of definition['x-kubernetes-group-version-kind'] ?? []) {
      const file = [kind, ...group.split('.', 1), version].filter((part) => part !== '').join('-');
      writeFileSync(
        join(folder, `${file.toLowerCase()}.json`),
        JSON.stringify({ $ref: `${all}#/definitions/${name}` }),
      );
    }
  return join(folder, '{{ .ResourceKind }}{{ .KindSuffix }}.json');
}

function close(name: string, definition: Definition): unknown {
  if (name.endsWith('.IntOrString')) return INT_OR_STRING;
  if (name.endsWith('.resource.Quantity')) return QUANTITY;
  return closed(definition);
}

/** A mapping with fields of its own has no others. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const { properties, format, ...rest } = schema as Readonly<Record<string, unknown>>;
  if (format === 'int-or-string') return INT_OR_STRING;
  const inner = Object.entries(rest).map(([field, value]) => [field, closed(value)]);
  if (properties === undefined) return Object.fromEntries(inner);
  const fields = Object.entries(properties as object).map(([field, value]) => [field, closed(value)]);
  return { additionalProperties: false, ...Object.fromEntries(inner), properties: Object.fromEntries(fields) };
}
