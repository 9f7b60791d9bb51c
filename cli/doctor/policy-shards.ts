import { hash } from 'node:crypto';
import { type ConfigMap, configMaps } from '../../kube/kinds.ts';
import { undefinedIf } from '../../kube/kube-error.ts';
import { err, type Result } from '../../policy/core/result.ts';
import { type ShardData, SHARED_SHARD, shardNames } from '../../policy/shards/shard-format.ts';
import { ShardSet } from '../../policy/shards/shard-set.ts';
import type { InstallationAccess } from './checked-installation.ts';

/** Reads the ConfigMaps, but not the Secrets beside them, which hold credentials. Throws KubeError. */
export async function readPolicyShards({ client, namespace, settings }: InstallationAccess) {
  const names = [SHARED_SHARD, ...shardNames(settings.shards).policy];
  const read = await Promise.all(
    names.map(async (name): Promise<[string, ShardData | undefined]> => {
      const found = await client.get<ConfigMap>(configMaps, { namespace, name }).catch(undefinedIf('NotFound'));
      return [name, found && (found.data ?? {})];
    }),
  );
  const shards = new ShardSet(settings.shards, (text) => hash('sha256', text));
  for (const [name, data] of read) shards.put(name, data);
  const missing = new Set(read.flatMap(([name, data]) => (data === undefined ? [name] : [])));
  const present = <T>(name: string, shard: Result<T, string>): Result<T, string> =>
    missing.has(name) ? MISSING : shard;
  return {
    shared: present(SHARED_SHARD, shards.shared),
    policy: new Map([...shards.policy].map(([name, shard]) => [name, present(name, shard)])),
    sizes: new Map(read.map(([name, data = {}]) => [name, Buffer.byteLength(JSON.stringify(data))])),
  };
}

/** The problem of a shard whose ConfigMap does not exist. */
export const MISSING = err('the ConfigMap does not exist');
