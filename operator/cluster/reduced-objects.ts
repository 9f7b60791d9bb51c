/**
 * What the informers keep of objects that tenants write: the fields that the operator reads, within bounds. A Secret or a
 * budget may have 1 MiB, and the operator has all of them in memory.
 */

import { workspaces } from '../../crds/kinds.gen.ts';
import type { ClaudeBudget, ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { Secret } from '../../kube/kinds.ts';
import type { KubeObject, ObjectMeta } from '../../kube/object.ts';
import type { Cut } from '../../policy/compile/compile-input.ts';
import { KEY_ENTRY, KEY_LABEL, URL_ENTRY, WORKSPACE_LABEL } from './object-names.ts';

/** The JSON of a spec above which only what protects is kept of it. Characters; compiled, each may have about half. */
const MAX_SPEC = { budget: 65_536, workspace: 262_144 } as const;
/** The longest value of a Secret that is kept, in base64: longer than any key. */
const MAX_VALUE = 8_192;
/** Stands for a longer value, and is too long for a key itself. A slice of the value would keep all of it in memory. */
const TOO_LONG = 'A'.repeat(MAX_VALUE);
/** All values of a Secret together; further ones are dropped. Base64. */
const MAX_DATA = 32_768;
/** Owners that are kept of a Secret; Tollgate sets one. */
const MAX_OWNERS = 4;

const IDENTITY = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
] as const;

/** Labels, annotations and owners are dropped. */
function identityOf<T extends ObjectMeta>(metadata: T): Pick<T, (typeof IDENTITY)[number]> {
  const given = IDENTITY.filter((name) => metadata[name] !== undefined).map((name) => [name, metadata[name]]);
  return Object.fromEntries(given) as Pick<T, (typeof IDENTITY)[number]>;
}

/** Keeps its labels, by which spanning budgets select it. */
export function reducedNamespace({ metadata }: KubeObject): KubeObject {
  return { metadata: { ...identityOf(metadata), labels: metadata.labels ?? {} } };
}

/** Keeps its values, but none that is longer than an upstream key can be. */
export function reducedUpstreamSecret({ metadata, type, data = {} }: Secret): Secret {
  let room = MAX_DATA;
  const kept = Object.entries(data).flatMap(([name, value]) => {
    const cut = bounded(value);
    room -= name.length + cut.length;
    return room < 0 ? [] : [[name, cut] as const];
  });
  return { metadata: identityOf(metadata), ...(type === undefined ? {} : { type }), data: Object.fromEntries(kept) };
}

/** Keeps whose key it is, and the key. */
export function reducedKeySecret({ metadata, type, data = {} }: Secret): Secret {
  const owners = (metadata.ownerReferences ?? []).filter(({ kind }) => kind === workspaces.kind);
  const values = pick(data, [KEY_ENTRY, URL_ENTRY]).map(([name, value]) => [name, bounded(value)] as const);
  return {
    metadata: {
      ...identityOf(metadata),
      labels: Object.fromEntries(pick(metadata.labels ?? {}, [WORKSPACE_LABEL, KEY_LABEL])),
      ...(owners.length === 0 ? {} : { ownerReferences: owners.slice(0, MAX_OWNERS) }),
    },
    ...(type === undefined ? {} : { type }),
    data: Object.fromEntries(values),
  };
}

/** Of a spec that is too large, keeps what refuses and limits calls. */
export function reducedBudget(budget: ClaudeBudget): ClaudeBudget & Cut {
  const { spec } = budget;
  const bytes = JSON.stringify(spec).length;
  const metadata = identityOf(budget.metadata);
  if (bytes <= MAX_SPEC.budget) return { ...budget, metadata };
  const { exempt: _, ...whenSpent } = spec.whenSpent;
  const cut = {
    ...spec,
    ...(spec.namespaceSelector === undefined ? {} : { namespaceSelector: {} }),
    scope: {},
    limit: { ...spec.limit, overrides: [] },
    grants: [],
    whenSpent,
  };
  return { ...budget, metadata, spec: cut, cutBytes: bytes };
}

/** Of a spec that is too large, keeps everything but attributes and restrictions; those in force stay (`restrainWorkspace`). */
export function reducedWorkspace(workspace: ClaudeWorkspace): ClaudeWorkspace & Cut {
  const { spec } = workspace;
  const bytes = JSON.stringify(spec).length;
  const metadata = identityOf(workspace.metadata);
  if (bytes <= MAX_SPEC.workspace) return { ...workspace, metadata };
  const keys = spec.keys.map((key) => ({ ...key, attributes: {} }));
  return {
    ...workspace,
    metadata,
    spec: { ...spec, attributes: {}, keys, models: { ...spec.models, restrictions: [] } },
    cutBytes: bytes,
  };
}

function bounded(value: string): string {
  return value.length > MAX_VALUE ? TOO_LONG : value;
}

function pick(map: Readonly<Record<string, string>>, names: readonly string[]): readonly [string, string][] {
  return names.flatMap((name) => (Object.hasOwn(map, name) ? [[name, map[name]!] as [string, string]] : []));
}
