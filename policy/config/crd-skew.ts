import { fields } from '../../crds/fields.gen.ts';

/** How the CRDs of an API server differ from those of this version; fields as `Kind.path`. */
export interface CrdSkew {
  /** Fields of this version that the API server lacks: it drops their values silently. */
  readonly lacking: readonly string[];
  /** Fields that only the API server has: this version ignores them. */
  readonly unknown: readonly string[];
}

/** The part of an OpenAPI document that lists fields. */
interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
}

/** The path of the OpenAPI document that describes the CRDs. */
export const KINDS_DOCUMENT = '/openapi/v3/apis/tollgate.dev/v1alpha1';

/** Compares the CRDs in a server's OpenAPI document (`KINDS_DOCUMENT`) with those of this version. */
export function crdSkewOf(document: unknown): CrdSkew {
  const { components } = document as { components?: { schemas?: Readonly<Record<string, Node>> } };
  const pairs = Object.entries(fields).map(([kind, known]) => {
    const node = components?.schemas?.[`dev.tollgate.v1alpha1.${kind}`];
    const { spec, status } = node?.properties ?? {};
    const served = new Set([...(spec ? paths(spec, 'spec') : []), ...(status ? paths(status, 'status') : [])]);
    const names = new Set<string>(known);
    return {
      lacking: known.filter((path) => !served.has(path)).map((path) => `${kind}.${path}`),
      unknown: [...served].filter((path) => !names.has(path)).map((path) => `${kind}.${path}`),
    };
  });
  return { lacking: pairs.flatMap((pair) => pair.lacking), unknown: pairs.flatMap((pair) => pair.unknown) };
}

function* paths(node: Node, path: string): Generator<string> {
  yield path;
  for (const [name, field] of Object.entries(node.properties ?? {})) yield* paths(field, `${path}.${name}`);
  if (node.items) yield* paths(node.items, `${path}[]`);
  if (typeof node.additionalProperties === 'object') yield* paths(node.additionalProperties, `${path}{}`);
}
