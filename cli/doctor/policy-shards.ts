import { hash } from 'node:crypto';
import { isKubeError } from '../../kube/kube-error.ts';
import {
  decodePolicyShard,
  decodeSharedShard,
  type PolicyShard,
  type SharedShard,
} from '../../policy/compile/shard-codec.ts';
import { type ShardData, type ShardProblem, SHARED_SHARD, shardNames } from '../../policy/compile/shards.ts';
import type { Ways } from './installation.ts';
import { configMaps, type Holder } from './kube-kinds.ts';

/** The shards of policy as they lie in the cluster: each decoded, or what is wrong with it. */
export interface PolicyShards {
  readonly shared: SharedShard | ShardProblem;
  readonly policy: ReadonlyMap<string, PolicyShard | ShardProblem>;
  /** How full each is, in bytes. */
  readonly sizes: ReadonlyMap<string, number>;
}

/** Reads the ConfigMaps. The Secrets beside them hold credentials and are left alone. */
export async function readPolicyShards({ client, namespace, settings }: Ways): Promise<PolicyShards> {
  const names = [SHARED_SHARD, ...shardNames(settings.shards).policy];
  const read = await Promise.all(
    names.map(async (name): Promise<[string, ShardData | undefined]> => {
      try {
        return [name, (await client.get<Holder>(configMaps, { namespace, name })).data ?? {}];
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

/** A shard of which there is not even the ConfigMap. */
export const MISSING: ShardProblem = { problem: 'the ConfigMap does not exist' };

function sha256(text: string): string {
  return hash('sha256', text);
}
