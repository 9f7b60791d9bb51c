import type { Secret } from '../../kube/kinds.ts';
import { keyOf } from '../../kube/object.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Hash } from '../../policy/shards/shard-format.ts';
import type { Informers } from '../cluster/informers.ts';
import { isMadeFor, keyNameOf, makerOf, textOf, validKeys } from './key-secret.ts';

/** The callers' keys in the cluster, as the informers have them. */
export class CallerKeyIndex {
  readonly #informers: Pick<Informers, 'workspaces' | 'keySecrets'>;
  readonly #hash: Hash;
  readonly #conflicts = new Map<Ref, readonly string[]>();
  readonly #denied = new Map<Ref, string>();
  #valid: ReadonlyMap<string, string> | undefined;

  constructor(informers: Pick<Informers, 'workspaces' | 'keySecrets'>, hash: Hash) {
    this.#informers = informers;
    this.#hash = hash;
  }

  /** For each workspace, the names of Secrets that it asks for and cannot have. */
  get conflicts(): ReadonlyMap<Ref, readonly string[]> {
    return this.#conflicts;
  }

  setConflicts(workspace: Ref, secretNames: readonly string[]): void {
    if (secretNames.length > 0) this.#conflicts.set(workspace, secretNames);
    else this.#conflicts.delete(workspace);
  }

  /** For each workspace, what the API server said of Secrets that it does not let Tollgate write. */
  get denied(): ReadonlyMap<Ref, string> {
    return this.#denied;
  }

  setDenied(workspace: Ref, message: string | null): void {
    if (message === null) this.#denied.delete(workspace);
    else this.#denied.set(workspace, message);
  }

  /** Whether a Secret has a sound key that no other Secret has. */
  isOnlyOne(secret: Secret): boolean {
    const text = textOf(secret);
    return text !== undefined && this.#informers.keySecrets.values().filter((one) => textOf(one) === text).length === 1;
  }

  /** Call it when a Secret in the informer has changed. */
  invalidate(): void {
    this.#valid = undefined;
  }

  /** The hash of each valid key, by the uid of its Secret. */
  get valid(): ReadonlyMap<string, string> {
    return (this.#valid ??= validKeys(this.#informers.keySecrets.values(), this.#hash));
  }

  /**
   * For each workspace, the hashes of its keys by the key's name. A Secret that its spec does not name for the key any more,
   * and that could not be deleted, counts only while there is no other.
   */
  hashes(): ReadonlyMap<Ref, Readonly<Record<string, string>>> {
    const { workspaces, keySecrets } = this.#informers;
    const owners = new Map(workspaces.values().map((one) => [one.metadata.uid, one.metadata]));
    const named = new Set(
      workspaces
        .values()
        .flatMap(({ metadata, spec }) => spec.keys.map((key) => `${metadata.uid} ${key.name} ${key.secretName}`)),
    );
    const hashes = new Map<Ref, Record<string, string>>();
    for (const secret of keySecrets.values()) {
      const owner = owners.get(makerOf(secret));
      const name = keyNameOf(secret);
      const hash = this.valid.get(secret.metadata.uid ?? '');
      if (owner === undefined || name === undefined || hash === undefined || !isMadeFor(secret, owner)) continue;
      const ofOwner = hashes.get(keyOf(owner)) ?? {};
      const isNamed = named.has(`${owner.uid} ${name} ${secret.metadata.name}`);
      if (isNamed || !Object.hasOwn(ofOwner, name)) ofOwner[name] = hash; // in place: a tenant may create thousands of Secrets
      hashes.set(keyOf(owner), ofOwner);
    }
    return hashes;
  }
}
