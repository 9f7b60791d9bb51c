import type { KubeClient } from '../../kube/client.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import { keyOf, type ObjectRef } from '../../kube/object.ts';
import type { UpstreamSecret } from '../../policy/compile/compile-input.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Informers } from './informers.ts';
import { type Secret, secrets } from './kube-kinds.ts';

/**
 * The Secrets that workspaces name as upstream keys. The cache holds only those of the right type; of any other only
 * the type is looked at, to say what is wrong with it, and its data is dropped at once.
 */
export class UpstreamSecrets {
  readonly #client: KubeClient;
  readonly #world: Pick<Informers, 'workspaces' | 'upstreamSecrets'>;
  /** By workspace. */
  readonly #wrong = new Map<Ref, { readonly secret: Ref; readonly type: string }>();

  constructor(client: KubeClient, world: Pick<Informers, 'workspaces' | 'upstreamSecrets'>) {
    this.#client = client;
    this.#world = world;
  }

  all(): ReadonlyMap<Ref, UpstreamSecret> {
    const wrong = [...this.#wrong.values()].map(({ secret, type }) => [secret, { type, data: {} }] as const);
    const right = this.#world.upstreamSecrets
      .values()
      .map((secret) => [keyOf(secret.metadata), { type: secret.type ?? '', data: decode(secret) }] as const);
    return new Map([...wrong, ...right]);
  }

  /** Looks after the Secret that a workspace names. Returns whether it is there with the right type. */
  async look(workspace: Ref): Promise<boolean> {
    const found = this.#world.workspaces.get(workspace);
    if (found === undefined) {
      this.#wrong.delete(workspace);
      return true;
    }
    const ref = { namespace: found.metadata.namespace, name: found.spec.upstream.apiKeySecretRef.name };
    const key = keyOf(ref);
    const isCached = this.#world.upstreamSecrets.get(key) !== undefined;
    const type = isCached ? undefined : await this.#typeOf(ref);
    if (type === undefined) this.#wrong.delete(workspace);
    else this.#wrong.set(workspace, { secret: key, type });
    return isCached;
  }

  async #typeOf(ref: ObjectRef): Promise<string | undefined> {
    try {
      return (await this.#client.get<Secret>(secrets, ref)).type ?? '';
    } catch (error) {
      if (isKubeError(error, 'NotFound')) return undefined;
      throw error;
    }
  }
}

function decode({ data = {} }: Secret): Record<string, string> {
  const decoded = Object.entries(data).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]);
  return Object.fromEntries(decoded) as Record<string, string>;
}
