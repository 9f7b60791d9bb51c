import type { PreviousShards } from '../../policy/compile/compile-input.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { BatchCredentials } from './batch-settler.ts';

/** The upstream key and the prices of a workspace, from the shards that the gateways use. */
export function batchCredentials(
  { policy, keys, shared }: PreviousShards,
  workspace: Ref,
): BatchCredentials | undefined {
  const compiled = [...policy.values()].flatMap(({ workspaces }) => workspaces.get(workspace) ?? [])[0];
  const entry = [...keys.values()].flatMap(({ credentials }) => credentials.get(workspace) ?? [])[0];
  const prices = compiled && shared?.books.get(compiled.prices)?.book;
  if (prices === undefined) return undefined;
  return { apiKey: entry?.credentials.upstreamKey ?? null, prices };
}
