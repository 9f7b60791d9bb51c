import { encodeJSON } from '../../../policy/core/canonical-json.ts';
import { entryName, EPOCH_ENTRY } from '../../../policy/shards/shard-contents.ts';
import { encodeShard, SHARED_SHARD, type ShardData, shardNames } from '../../../policy/shards/shard-format.ts';
import type { Cluster } from '../../support/cluster.ts';
import { type Handover, PRICES, sha256, spanningAddress } from './policies.ts';

/** Writes what the operator would write for one workspace in an installation with one shard. */
export async function writeShards(
  cluster: Cluster,
  namespace: string,
  { workspace, credentials, spanning }: Handover,
): Promise<void> {
  const { policy, keys } = shardNames(1);
  const entry = entryName(workspace);
  const own = (text: string): ShardData => encodeShard(new Map([[entry, text]]), workspace.version, sha256);
  const shared = new Map([
    [EPOCH_ENTRY, encodeJSON('first')],
    [PRICES.address, PRICES.text],
    ...spanning.map((one): [string, string] => [spanningAddress(one), encodeJSON(one)]),
  ]);
  const secret = Object.entries(own(encodeJSON(credentials)));
  const items = [
    {
      kind: 'ConfigMap',
      metadata: { name: SHARED_SHARD, namespace },
      data: encodeShard(shared, workspace.version, sha256),
    },
    {
      kind: 'Secret',
      metadata: { name: keys[0], namespace },
      data: Object.fromEntries(secret.map(([name, text]) => [name, Buffer.from(text).toString('base64')])),
    },
    { kind: 'ConfigMap', metadata: { name: policy[0], namespace }, data: own(encodeJSON(workspace)) },
  ];
  await cluster.apply(items.map((item) => JSON.stringify({ apiVersion: 'v1', ...item })).join('\n---\n'));
}
