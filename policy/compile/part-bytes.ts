/** How many bytes each part of a workspace takes in its shards. Parts add up to the whole. */

import { encodeJSON } from '../core/canonical-json.ts';
import { type Address, type Credentials, refOf } from '../core/compiled-policy.ts';
import { utf8Length } from '../shards/shard-format.ts';
import type { CompileCache } from './compile-cache.ts';
import type { OwnPart } from './compile-workspace.ts';
import type { StoredWorkspace } from './draft-workspace.ts';

/** Counted for each generation, so that the next one is not longer. */
const GENERATION_DIGITS = 10;
const VERSION_DIGITS = 16;
/** What stands in an entry beside the parts, with the checksum of the credentials. */
const FRAME =
  encodeJSON({ budgets: [], credentials: 'x'.repeat(64), prices: '', spanning: [], version: 0 }).length -
  2 +
  VERSION_DIGITS;

/** A budget, or the workspace without its budgets. */
function partBytes(part: { readonly generation: number }, cache: CompileCache): number {
  return cache.bytes(part) + GENERATION_DIGITS - digits(part.generation);
}

/** A workspace's entry in the policy shard, without budgets and spanning ones. */
export function workspaceBytes(own: OwnPart, prices: Address, cache: CompileCache): number {
  return refOf(own).length + FRAME + prices.length + partBytes(own, cache);
}

/** A budget in the entry of its workspace. */
export function budgetBytes(budget: { readonly generation: number }, cache: CompileCache): number {
  return partBytes(budget, cache) + 1; // the comma
}

/** Spanning budgets in the entry of a workspace. */
export function spanningBytes(addresses: readonly Address[]): number {
  return addresses.reduce((sum, address) => sum + address.length + 3, 0); // quotes and the comma
}

/** A workspace's entry in the policy shard, as all of its parts together would be counted. */
export function storedBytes({ workspace, text }: StoredWorkspace, cache: CompileCache): number {
  const { version, budgets, spanning } = workspace;
  const generations = [workspace, ...budgets].reduce((sum, one) => sum + digits(one.generation), 0);
  const commas = Math.min(budgets.length, 1) + Math.min(spanning.length, 1);
  const reserved = GENERATION_DIGITS * (1 + budgets.length) + VERSION_DIGITS;
  return refOf(workspace).length + cache.bytes(workspace, text) + commas + reserved - generations - digits(version);
}

/** A workspace's entry in the keys shard. */
export function credentialsBytes(own: OwnPart, credentials: Credentials): number {
  return refOf(own).length + utf8Length(encodeJSON(credentials));
}

function digits(number: number): number {
  return String(number).length;
}
