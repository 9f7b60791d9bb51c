import type { KubeClient } from '../../kube/client.ts';
import { configMaps, decodeSecretData, encodeSecretData, type Secret, secrets } from '../../kube/kinds.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import type { ShardWrite } from '../../policy/compile/compile-output.ts';
import type { Settings } from '../../policy/config/settings.ts';
import type { Hash } from '../../policy/shards/shard-format.ts';
import { ShardSet, type PreviousShards } from '../../policy/shards/shard-set.ts';

interface ShardStoreOptions {
  readonly client: Pick<KubeClient, 'get' | 'replace'>;
  readonly settings: Pick<Settings, 'shards'>;
  readonly hash: Hash;
}

/**
 * The ConfigMaps and Secrets of the shards, from the informers or from the last write, whichever is newer. A write
 * succeeds only over the version that the policy was compiled from, so two operators cannot undo each other's work.
 */
export class ShardStore {
  readonly #client: Pick<KubeClient, 'get' | 'replace'>;
  readonly #objects = new Map<string, Secret>();
  readonly #shards: ShardSet;

  constructor({ client, settings, hash }: ShardStoreOptions) {
    this.#client = client;
    this.#shards = new ShardSet(settings.shards, hash);
  }

  /** Takes an object from an informer. Returns whether it is newer than the known one: not so for the store's own writes. */
  take(name: string, object: Secret | undefined): boolean {
    const known = this.#objects.get(name);
    if (object === undefined) {
      this.#shards.put(name, undefined);
      return this.#objects.delete(name);
    }
    if (known !== undefined && !isNewer(object, known)) return false;
    this.#objects.set(name, object);
    this.#shards.put(name, dataOf(object));
    return true;
  }

  /** The shards that can be read. */
  previous(): PreviousShards {
    return this.#shards.readable;
  }

  /** Writes one shard. Throws KubeError; after `Conflict` the store has the newer object, so compile again. */
  async write({ kind, name, data }: ShardWrite): Promise<void> {
    const known = this.#objects.get(name);
    if (known === undefined) {
      throw new Error(`${kind} ${name} is missing: apply the manifests of the installation again`);
    }
    const resource = kind === 'Secret' ? secrets : configMaps;
    try {
      const object = { ...known, data: kind === 'Secret' ? encodeSecretData(data) : data };
      this.take(name, await this.#client.replace<Secret>(resource, object));
    } catch (error) {
      if (isKubeError(error, 'Conflict')) this.take(name, await this.#client.get<Secret>(resource, known.metadata));
      throw error;
    }
  }
}

function dataOf({ data, type }: Secret): Secret['data'] {
  return data === undefined || type === undefined ? data : decodeSecretData(data); // a ConfigMap has no type
}

/** Resource versions of one object are numbers that rise. */
function isNewer(object: Secret, than: Secret): boolean {
  if (object.metadata.uid !== than.metadata.uid) return true;
  return BigInt(object.metadata.resourceVersion ?? 0) > BigInt(than.metadata.resourceVersion ?? 0);
}
