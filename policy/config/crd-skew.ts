import { fields } from '../../crds/fields.gen.ts';

/** How the kinds that an API server serves differ from those of this version, by `Kind.field`. */
export interface CrdSkew {
  /** What this version reads or writes and the served kinds do not have: their values would be dropped without a word. */
  readonly lacking: readonly string[];
  /** What only the served kinds have: this version takes no notice of it. */
  readonly unknown: readonly string[];
}

/** The part of an OpenAPI document that says what fields there are. */
interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
}

/** The document of the API server that describes the kinds. */
export const KINDS_DOCUMENT = '/openapi/v3/apis/tollgate.dev/v1alpha1';

/** Compares the kinds that a server's OpenAPI document (`KINDS_DOCUMENT`) describes with those of this version. */
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
