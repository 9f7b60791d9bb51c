import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { PriceBook } from '../../policy/prices/price-book.ts';
import type { PreviousShards } from '../../policy/shards/shard-set.ts';

/** What a workspace's batches are fetched with and priced at. */
export interface BatchCredentials {
  /** The upstream that the key is for. */
  readonly baseURL: string;
  /** Null where the Secret with the upstream key is gone. */
  readonly apiKey: string | null;
  /** What the workspace sends with every call. */
  readonly headers: Readonly<Record<string, string>>;
  readonly prices: PriceBook;
}

/**
 * The upstream, its key and the prices of a workspace, from the shards that the gateways use; undefined where the workspace
 * is gone. The two shards are written one after the other, so a key counts only for the workspace that names it by its
 * checksum: another one may be for another upstream.
 */
export function batchCredentials(
  { policy, keys, shared }: PreviousShards,
  workspace: Ref,
): BatchCredentials | undefined {
  const compiled = [...policy.values()].flatMap(({ workspaces }) => workspaces.get(workspace) ?? [])[0];
  const entry = [...keys.values()].flatMap(({ credentials }) => credentials.get(workspace) ?? [])[0];
  const prices = compiled && shared?.books.get(compiled.prices)?.book;
  if (prices === undefined) return undefined;
  const isOwn = entry?.checksum === compiled?.credentials;
  const apiKey = isOwn ? (entry?.credentials.upstreamKey ?? null) : null;
  return { baseURL: compiled!.baseURL, apiKey, headers: compiled!.upstreamHeaders ?? {}, prices };
}
