import type { KubeClient } from '../../kube/client.ts';
import { decodeSecretData, type Secret, secrets } from '../../kube/kinds.ts';
import { undefinedIf } from '../../kube/kube-error.ts';
import { keyOf } from '../../kube/object.ts';
import type { UpstreamSecret } from '../../policy/compile/compile-input.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Informers } from '../cluster/informers.ts';

/**
 * The Secrets that workspaces name as upstream keys. The informer holds only those of the right type. Of any other
 * Secret only the type is kept, to report that it is wrong; its data is dropped at once.
 */
export class UpstreamSecrets {
  readonly #client: KubeClient;
  readonly #informers: Pick<Informers, 'workspaces' | 'upstreamSecrets'>;
  /** By workspace: the Secret of a wrong type that it names. */
  readonly #wrong = new Map<Ref, { readonly secret: Ref; readonly type: string }>();

  constructor(client: KubeClient, informers: Pick<Informers, 'workspaces' | 'upstreamSecrets'>) {
    this.#client = client;
    this.#informers = informers;
  }

  /** By `namespace/name` of the Secret; without data where its type is wrong. */
  all(): ReadonlyMap<Ref, UpstreamSecret> {
    const wrong = [...this.#wrong.values()].map(({ secret, type }) => [secret, { type, data: {} }] as const);
    const right = this.#informers.upstreamSecrets.values().map(({ metadata, type = '', data = {} }) => {
      return [keyOf(metadata), { type, data: decodeSecretData(data) }] as const;
    });
    return new Map([...wrong, ...right]);
  }

  /** Looks up the Secret that a workspace names. Returns whether it exists with the right type. Throws KubeError. */
  async reconcile(workspace: Ref): Promise<boolean> {
    const found = this.#informers.workspaces.get(workspace);
    if (found === undefined) {
      this.#wrong.delete(workspace);
      return true;
    }
    const ref = { namespace: found.metadata.namespace, name: found.spec.upstream.apiKeySecretRef.name };
    const key = keyOf(ref);
    const isRight = this.#informers.upstreamSecrets.get(key) !== undefined;
    const wrong = isRight ? undefined : await this.#client.get<Secret>(secrets, ref).catch(undefinedIf('NotFound'));
    if (wrong === undefined) this.#wrong.delete(workspace);
    else this.#wrong.set(workspace, { secret: key, type: wrong.type ?? '' });
    return isRight;
  }
}
