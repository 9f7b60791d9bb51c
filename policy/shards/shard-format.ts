/**
 * The format of the shards, the ConfigMaps and Secrets with the compiled policy: a fixed set, each a map of names to JSON
 * texts with an `index` of schema, revision and a checksum over everything. A partial update, another schema or a flipped
 * byte is reported as a problem and never enforced.
 */

import { byName } from '../core/canonical-json.ts';
import { COMPILED_SCHEMA, OLDEST_SCHEMA, type Ref } from '../core/compiled-policy.ts';
import { err, ok, type Result } from '../core/result.ts';

/** The `data` of a ConfigMap, or of a Secret after decoding its base64. */
export type ShardData = Readonly<Record<string, string>>;

/** SHA-256 of a text in UTF-8, in hex. */
export type Hash = (text: string) => string;

/** The shard with what all workspaces share: spanning budgets, price book, ledger epoch. A ConfigMap. */
export const SHARED_SHARD = 'tollgate-policy-shared';

/** The names of an installation's shards: entry i of `policy` and entry i of `keys` hold the same workspaces. */
export function shardNames(count: number): { readonly policy: readonly string[]; readonly keys: readonly string[] } {
  const numbers = Array.from({ length: count }, (_, i) => i);
  return { policy: numbers.map((i) => `tollgate-policy-${i}`), keys: numbers.map((i) => `tollgate-keys-${i}`) };
}

/** The index of a workspace's shard among `count`: FNV-1a of its name, which must never change. */
export function shardOf(workspace: Ref, count: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < workspace.length; i++) hash = Math.imul(hash ^ workspace.charCodeAt(i), 0x01000193) >>> 0;
  return hash % count;
}

/** A shard whose checksum is right. */
export interface Shard {
  /** Older than `COMPILED_SCHEMA` if an operator before this one wrote it. */
  readonly schema: number;
  readonly revision: number;
  /** The JSON text of each entry by its name in the shard. */
  readonly entries: ReadonlyMap<string, string>;
}

const INDEX = 'index';
const MAX_BYTES = 1_048_576;
/** The bytes of entries, with their names, that a shard has room for beside its index. */
export const SHARD_BYTES = MAX_BYTES - 1_024;

/** Encodes a shard: the same bytes for the same entries and revision, in any order. */
export function encodeShard(entries: ReadonlyMap<string, string>, revision: number, hash: Hash): ShardData {
  const sorted = [...entries].toSorted(byName);
  const index = indexText(sorted, COMPILED_SCHEMA, revision, hash);
  return Object.fromEntries([...sorted, [INDEX, index]]);
}

/** Reads a shard; `data` is undefined if it is missing. The error ends a sentence, without content. Never throws. */
export function decodeShard(data: ShardData | undefined, hash: Hash): Result<Shard, string> {
  const written = data?.[INDEX];
  if (data === undefined || written === undefined) return err('it is missing or was never written');
  const index = readIndex(written);
  if (index === null) return err('its index is not readable');
  const { schema, revision } = index;
  if (schema > COMPILED_SCHEMA || schema < OLDEST_SCHEMA) {
    return err(`it has schema ${schema}, not ${OLDEST_SCHEMA} to ${COMPILED_SCHEMA}`);
  }
  const entries = Object.entries(data)
    .filter(([name]) => name !== INDEX)
    .toSorted(byName);
  if (indexText(entries, schema, revision, hash) !== written) return err('its checksum does not fit its content');
  return ok({ schema, revision, entries: new Map(entries) });
}

/** Null if the shard fits into a ConfigMap or Secret, else a sentence that says what to do. */
export function oversize(name: string, data: ShardData): string | null {
  const bytes = Object.entries(data).reduce((sum, [key, value]) => sum + utf8Length(key + value), 0);
  if (bytes <= MAX_BYTES) return null;
  return `${name} would have ${bytes} bytes and Kubernetes holds ${MAX_BYTES}, so it stays as it was: raise the setting shards, or split large budgets.`;
}

/** The bytes of a text in UTF-8. */
export function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length;
}

function indexText(
  sorted: readonly (readonly [string, string])[],
  schema: number,
  revision: number,
  hash: Hash,
): string {
  return JSON.stringify({ schema, revision, checksum: hash(JSON.stringify([schema, revision, sorted])) });
}

function readIndex(text: string): { readonly schema: number; readonly revision: number } | null {
  try {
    const { schema, revision } = JSON.parse(text) as Record<string, unknown>;
    return typeof schema === 'number' && typeof revision === 'number' ? { schema, revision } : null;
  } catch {
    return null;
  }
}
