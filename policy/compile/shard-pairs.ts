/**
 * The shards of workspaces, in pairs: a ConfigMap with compiled workspaces and a Secret with their credentials. A changed
 * workspace gets a version above every one that its shard and its fence ever had, and the shard's revision is that
 * version, so a gateway that enforces the shard at a revision enforces all its workspaces up to there.
 */

import { encodeJSON } from '../core/canonical-json.ts';
import { COMPILED_SCHEMA, type CompiledWorkspace, type Ref } from '../core/compiled-policy.ts';
import { entryName } from '../shards/shard-contents.ts';
import { encodeShard, oversize, shardNames } from '../shards/shard-format.ts';
import type { CompileCache } from './compile-cache.ts';
import type { CompileInput } from './compile-input.ts';
import type { RequiredVersion, ShardWrite } from './compile-output.ts';
import { type DraftWorkspace, type FittedWorkspace, isStored, storedWorkspace } from './draft-workspace.ts';
import { fitWorkspaces, type LeftOut } from './fit-workspaces.ts';

export interface VersionedWorkspace {
  readonly ref: Ref;
  readonly workspace: CompiledWorkspace;
  /** The stored JSON, if the workspace is stored with this content already. */
  readonly stored: string | null;
  readonly required: RequiredVersion;
}

/** A policy shard and its keys shard; a write is null if nothing changed. */
export interface ShardPair {
  readonly shard: number;
  readonly revision: number;
  readonly workspaces: readonly VersionedWorkspace[];
  readonly leftOut: LeftOut;
  readonly policy: ShardWrite | null;
  readonly keys: ShardWrite | null;
  /** Why the pair cannot be written. */
  readonly problem: string | null;
}

/** Fits the workspaces of a pair into it, gives them their versions and builds its writes. */
export function buildPair(
  shard: number,
  all: readonly DraftWorkspace[],
  input: CompileInput,
  cache: CompileCache,
): ShardPair {
  const names = shardNames(input.settings.shards);
  const { workspaces: fitted, leftOut } = fitWorkspaces(
    all.filter((draft) => draft.shard === shard),
    input,
    cache,
  );
  const { revision, changed, workspaces } = version(names.policy[shard]!, fitted, input, cache);
  const policy = changed ? writePolicy(names.policy[shard]!, revision, workspaces, input) : null;
  const keys = writeKeys(names.keys[shard]!, fitted, input);
  return { shard, revision, workspaces, leftOut, policy, keys, problem: problemOf(policy) ?? problemOf(keys) };
}

/** Why a shard cannot be written; null if it can or need not be. */
export function problemOf(write: ShardWrite | null): string | null {
  return write === null ? null : oversize(write.name, write.data);
}

function version(
  name: string,
  fitted: readonly FittedWorkspace[],
  { previous, fences, now }: CompileInput,
  cache: CompileCache,
): Pick<ShardPair, 'revision' | 'workspaces'> & { readonly changed: boolean } {
  const before = previous.policy.get(name);
  const unchanged = fitted.map(({ ref, content }) => {
    const stored = storedWorkspace(previous, ref);
    return stored !== null && isStored(content, stored.workspace, cache) ? stored : null;
  });
  const changed =
    before?.schema !== COMPILED_SCHEMA ||
    unchanged.includes(null) ||
    fitted.length !== before.workspaces.size ||
    fitted.some(({ ref }) => !before.workspaces.has(ref));
  const next = Math.max(
    (before?.revision ?? 0) + 1,
    now,
    ...unchanged.map((stored) => stored?.workspace.version ?? 0),
    ...fitted.map(({ ref }, i) => (unchanged[i] === null ? (fences.get(ref) ?? -1) + 1 : 0)),
  );
  const workspaces = fitted.map(({ ref, content }, i) => {
    const stored = unchanged[i] ?? null;
    const workspace = { ...content, version: stored?.workspace.version ?? next };
    const required = { workspace: ref, shard: name, version: workspace.version };
    return { ref, workspace, stored: stored?.text ?? null, required };
  });
  return { revision: changed ? next : before.revision, changed, workspaces };
}

function writePolicy(
  name: string,
  revision: number,
  workspaces: readonly VersionedWorkspace[],
  { hash }: CompileInput,
): ShardWrite {
  const entries = new Map(
    workspaces.map(({ workspace, stored }) => [entryName(workspace), stored ?? encodeJSON(workspace)]),
  );
  return { kind: 'ConfigMap', name, revision, data: encodeShard(entries, revision, hash) };
}

function writeKeys(
  name: string,
  fitted: readonly FittedWorkspace[],
  { previous, now, hash }: CompileInput,
): ShardWrite | null {
  const stored = previous.keys.get(name);
  const isSame =
    stored?.schema === COMPILED_SCHEMA &&
    stored.credentials.size === fitted.length &&
    fitted.every(({ ref, content }) => stored.credentials.get(ref)?.checksum === content.credentials);
  if (isSame) return null;
  const revision = Math.max((stored?.revision ?? 0) + 1, now);
  const entries = new Map(fitted.map(({ content, credentials }) => [entryName(content), credentials]));
  return { kind: 'Secret', name, revision, data: encodeShard(entries, revision, hash) };
}
