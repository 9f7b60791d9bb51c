import type { Previous } from '../policy/compilation.ts';
import type { Ref } from '../policy/compiled.ts';
import type { BatchSource } from './batches.ts';

/** What the shards say of a workspace: what the gateways send its calls with, and price them at. */
export function batchSource({ policy, keys, shared }: Previous, workspace: Ref): BatchSource | undefined {
  const compiled = [...policy.values()].flatMap(({ workspaces }) => workspaces.get(workspace) ?? [])[0];
  const entry = [...keys.values()].flatMap(({ credentials }) => credentials.get(workspace) ?? [])[0];
  const prices = compiled && shared?.books.get(compiled.prices)?.book;
  if (prices === undefined) return undefined;
  return { apiKey: entry?.credentials.upstreamKey ?? null, prices };
}
