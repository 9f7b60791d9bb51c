import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

const folder = join(import.meta.dirname, '../../crds');

/** The part of a CRD's OpenAPI schema that Tollgate's CRDs use. */
export interface Schema {
  readonly description?: string;
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean' | 'number';
  readonly format?: string;
  readonly default?: unknown;
  readonly enum?: readonly (string | number)[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
  readonly items?: Schema;
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-validations'?: readonly Rule[];
}

/** A CEL rule and the sentence that a person sees where it does not hold. */
interface Rule {
  readonly rule: string;
  readonly message: string;
  readonly fieldPath?: string;
}

/** One of Tollgate's kinds. */
export interface CRD {
  readonly kind: string;
  /** `tollgate.dev/v1alpha1`. */
  readonly apiVersion: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly columns: readonly { readonly name: string; readonly priority?: number; readonly description?: string }[];
  readonly schema: Schema;
}

/** The kinds as the YAML of crds/ has them, in the order of their names. */
export function readCRDs(): readonly CRD[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .toSorted()
    .map((name) => read(readFileSync(join(folder, name), 'utf8')));
}

interface Manifest {
  spec: {
    group: string;
    names: { kind: string; plural: string; shortNames: string[] };
    versions: [{ name: string; additionalPrinterColumns: CRD['columns']; schema: { openAPIV3Schema: Schema } }];
  };
}

function read(yaml: string): CRD {
  const { group, names, versions } = (parse(yaml) as Manifest).spec;
  const [version] = versions;
  return {
    ...names,
    apiVersion: `${group}/${version.name}`,
    columns: version.additionalPrinterColumns,
    schema: withTexts(version.schema.openAPIV3Schema),
  };
}

/**
 * Money is written as an integer or a string, so that a rule can tell who forgot the quotes what to write: of a value of
 * another type the API server says its own sentence. The rule lets through strings only, so for all that reads it is one.
 */
function withTexts(schema: Schema & { readonly 'x-kubernetes-int-or-string'?: boolean }): Schema {
  const { 'x-kubernetes-int-or-string': isMoney, properties, items, additionalProperties, ...rest } = schema;
  return {
    ...rest,
    ...(isMoney === true && { type: 'string' }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([name, field]) => [name, withTexts(field)])),
    }),
    ...(items && { items: withTexts(items) }),
    ...(additionalProperties && { additionalProperties: withTexts(additionalProperties) }),
  };
}
