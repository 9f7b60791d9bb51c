import type { ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { KubeClient } from '../../kube/client.ts';
import { isKubeError } from '../../kube/kube-error.ts';
import { keyOf, type ObjectMeta } from '../../kube/object.ts';
import type { Hash } from '../../policy/compile/shards.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Informers } from '../cluster/informers.ts';
import { type Secret, secrets } from '../cluster/kube-kinds.ts';
import { byAge, holds, keyNameOf, keySecret, keyText, makerOf, soundKeys, textOf } from './key-secret.ts';

type Key = ClaudeWorkspace['spec']['keys'][number];

/** What the keys are made with and for, and whom it concerns. */
export interface KeysOptions {
  readonly client: KubeClient;
  readonly world: Pick<Informers, 'workspaces' | 'keySecrets' | 'namespaces'>;
  readonly gatewayURL: string;
  readonly hash: Hash;
  readonly randomBytes: (count: number) => Buffer;
  /** Whether what the workspace asks for now is in force: until then nothing that is in force is taken away. */
  readonly isInForce: (workspace: ClaudeWorkspace) => boolean;
  readonly onIssued: (workspace: ClaudeWorkspace, key: string, secret: string, how: 'issued' | 'replaced') => void;
  readonly onRevoked: (workspace: ClaudeWorkspace, secret: string) => void;
}

/** Sees to it that each workspace has the Secrets that its keys ask for, and no other. */
export class KeysReconciler {
  readonly #options: KeysOptions;
  readonly #conflicts = new Map<Ref, readonly string[]>();
  #sound: ReadonlyMap<string, string> | undefined;

  constructor(options: KeysOptions) {
    this.#options = options;
  }

  /** For each workspace the names of Secrets that it asks for and cannot have. */
  get conflicts(): ReadonlyMap<Ref, readonly string[]> {
    return this.#conflicts;
  }

  /** A Secret in the cache is another one now. */
  secretsChanged(): void {
    this.#sound = undefined;
  }

  /** For each workspace the hashes of its keys, by the key's name. */
  hashes(): ReadonlyMap<Ref, Readonly<Record<string, string>>> {
    const { world } = this.#options;
    const sound = this.#soundKeys();
    const owners = new Map(world.workspaces.values().map((one) => [one.metadata.uid, one.metadata]));
    const hashes = new Map<Ref, Record<string, string>>();
    for (const secret of world.keySecrets.values()) {
      const owner = owners.get(makerOf(secret));
      const name = keyNameOf(secret);
      const hashed = sound.get(secret.metadata.uid ?? '');
      if (owner === undefined || name === undefined || hashed === undefined) continue;
      if (owner.namespace !== secret.metadata.namespace) continue; // anybody may write another's uid into a Secret
      hashes.set(keyOf(owner), { ...hashes.get(keyOf(owner)), [name]: hashed });
    }
    return hashes;
  }

  /** Brings the Secrets of one workspace to what it asks for. Returns whether it has all of them. */
  async reconcile(ref: Ref): Promise<boolean> {
    const workspace = this.#options.world.workspaces.get(ref);
    if (workspace === undefined || this.#isEnding(workspace)) {
      this.#conflicts.delete(ref);
      return true; // its Secrets go with it, as their owner does
    }
    const conflicts: string[] = [];
    for (const key of workspace.spec.keys) {
      const isOurs = this.#claimant(workspace.metadata, key.secretName) === workspace.metadata.uid;
      if (!isOurs || !(await this.#ensure(workspace, key))) conflicts.push(key.secretName);
    }
    if (conflicts.length > 0) this.#conflicts.set(ref, conflicts);
    else this.#conflicts.delete(ref);
    if (this.#options.isInForce(workspace)) await this.#revoke(workspace);
    return conflicts.length === 0;
  }

  /** Whether the workspace or its namespace is being deleted: a Secret made now would only be in the way. */
  #isEnding({ metadata }: ClaudeWorkspace): boolean {
    const namespace = this.#options.world.namespaces.get(metadata.namespace);
    return metadata.deletionTimestamp !== undefined || namespace?.metadata.deletionTimestamp !== undefined;
  }

  /** The uid of the workspace that gets the name: of those that ask for it the one that has it, else the oldest. */
  #claimant({ namespace }: ObjectMeta, secretName: string): string | undefined {
    const { workspaces, keySecrets } = this.#options.world;
    const claims = workspaces
      .values()
      .filter(({ metadata }) => metadata.namespace === namespace)
      .filter(({ spec }) => spec.keys.some((key) => key.secretName === secretName))
      .toSorted(byAge)
      .map(({ metadata }) => metadata.uid);
    const there = keySecrets.get(keyOf({ namespace, name: secretName }));
    const holder = there && makerOf(there);
    return claims.includes(holder) ? holder : claims[0];
  }

  /** False where the name is taken by a Secret that Tollgate did not make. */
  async #ensure(workspace: ClaudeWorkspace, key: Key): Promise<boolean> {
    const { client, world, gatewayURL, randomBytes, onIssued } = this.#options;
    const ref = { namespace: workspace.metadata.namespace, name: key.secretName };
    const there = world.keySecrets.get(keyOf(ref));
    const fresh = () => keySecret(workspace, key, keyText(randomBytes(32)), gatewayURL);
    if (there === undefined) {
      if (!(await this.#create(fresh()))) return false;
      onIssued(workspace, key.name, key.secretName, 'issued');
      return true;
    }
    const maker = makerOf(there);
    if (maker === undefined) return false;
    if (maker !== workspace.metadata.uid) {
      // It was made for a workspace that is gone or no longer asks for it: that key ends with it.
      await client.delete(secrets, ref, there.metadata.uid);
      await client.create(secrets, fresh());
      onIssued(workspace, key.name, key.secretName, 'issued');
      return true;
    }
    await this.#keep(workspace, key, there);
    return true;
  }

  /** Keeps the key where it is sound, and makes a new one where somebody changed it. */
  async #keep(workspace: ClaudeWorkspace, key: Key, there: Secret): Promise<void> {
    const { client, gatewayURL, randomBytes, onIssued } = this.#options;
    const isSound = this.#soundKeys().has(there.metadata.uid ?? '');
    const text = isSound ? textOf(there) : undefined;
    const wanted = keySecret(workspace, key, text ?? keyText(randomBytes(32)), gatewayURL);
    if (holds(there, wanted)) return;
    const labels = { ...there.metadata.labels, ...wanted.metadata.labels };
    const data = { ...there.data, ...wanted.data };
    await client.replace<Secret>(secrets, { ...there, data, metadata: { ...there.metadata, labels } });
    if (text === undefined) onIssued(workspace, key.name, key.secretName, 'replaced');
  }

  #soundKeys(): ReadonlyMap<string, string> {
    const { world, hash } = this.#options;
    this.#sound ??= soundKeys(world.keySecrets.values(), hash);
    return this.#sound;
  }

  async #create(secret: Secret): Promise<boolean> {
    const { client } = this.#options;
    try {
      await client.create(secrets, secret);
      return true;
    } catch (error) {
      if (!isKubeError(error, 'Conflict')) throw error;
      const there = await client.get<Secret>(secrets, secret.metadata);
      if (makerOf(there) !== undefined) throw error; // ours, and the cache will have it in a moment
      return false;
    }
  }

  async #revoke(workspace: ClaudeWorkspace): Promise<void> {
    const { client, world, onRevoked } = this.#options;
    const named = new Set(workspace.spec.keys.map(({ secretName }) => secretName));
    for (const secret of world.keySecrets.values()) {
      if (makerOf(secret) !== workspace.metadata.uid || named.has(secret.metadata.name)) continue;
      await client.delete(secrets, secret.metadata, secret.metadata.uid).catch((error: unknown) => {
        if (!isKubeError(error, 'NotFound', 'Conflict')) throw error;
      });
      onRevoked(workspace, secret.metadata.name);
    }
  }
}
