import { hash } from 'node:crypto';
import { type ConfigMap, configMaps } from '../../kube/kinds.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import {
  decodePolicyShard,
  decodeSharedShard,
  type PolicyShard,
  type SharedShard,
} from '../../policy/compile/shard-codec.ts';
import { type ShardData, type ShardProblem, SHARED_SHARD, shardNames } from '../../policy/compile/shards.ts';
import type { InstallationAccess } from './installation.ts';

/** The policy shards in the cluster, each decoded or with its problem. */
export interface PolicyShards {
  readonly shared: SharedShard | ShardProblem;
  readonly policy: ReadonlyMap<string, PolicyShard | ShardProblem>;
  /** The size of each. Bytes. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** Reads the ConfigMaps, but not the Secrets beside them, which hold credentials. */
export async function readPolicyShards({ client, namespace, settings }: InstallationAccess): Promise<PolicyShards> {
  const names = [SHARED_SHARD, ...shardNames(settings.shards).policy];
  const read = await Promise.all(
    names.map(async (name): Promise<[string, ShardData | undefined]> => {
      try {
        return [name, (await client.get<ConfigMap>(configMaps, { namespace, name })).data ?? {}];
      } catch (error) {
        if (isKubeError(error, 'NotFound')) return [name, undefined];
        throw error;
      }
    }),
  );
  const [[, shared], ...policy] = read as [[string, ShardData | undefined], ...[string, ShardData | undefined][]];
  return {
    shared: shared === undefined ? MISSING : decodeSharedShard(shared, sha256),
    policy: new Map(policy.map(([name, data]) => [name, data ? decodePolicyShard(data, sha256) : MISSING])),
    sizes: new Map(read.map(([name, data = {}]) => [name, Buffer.byteLength(JSON.stringify(data))])),
  };
}

/** A shard without its ConfigMap. */
export const MISSING: ShardProblem = { problem: 'the ConfigMap does not exist' };

function sha256(text: string): string {
  return hash('sha256', text);
}
