import type { ClaudeWorkspace } from '../../crds/types.gen.ts';
import type { KubeClient } from '../../kube/client.ts';
import { type Secret, secrets } from '../../kube/kinds.ts';
import { isKubeError, KubeError, type KubeErrorKind, undefinedIf } from '../../kube/kube-error.ts';
import { keyOf, type ObjectMeta } from '../../kube/object.ts';
import type { Ref } from '../../policy/core/compiled-policy.ts';
import type { Informers } from '../cluster/informers.ts';
import type { OperatorEvents } from '../events/operator-events.ts';
import type { CallerKeyIndex } from './caller-key-index.ts';
import { byAge, contains, isLabelledFor, isMadeFor, keySecret, keyText, makerOf, textOf } from './key-secret.ts';

type Key = ClaudeWorkspace['spec']['keys'][number];

export interface KeysOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace' | 'delete'>;
  readonly informers: Pick<Informers, 'workspaces' | 'keySecrets' | 'namespaces'>;
  readonly callerKeys: Pick<CallerKeyIndex, 'valid' | 'isOnlyOne' | 'setConflicts' | 'denied' | 'setDenied'>;
  /** Whether the workspace as it is now is in force: until then no key of the generation before is revoked. */
  readonly policy: { isInForce(workspace: ClaudeWorkspace): boolean };
  readonly events: Pick<OperatorEvents, 'keyIssued' | 'keyRevoked' | 'keyAdopted' | 'keyDenied'>;
  readonly gatewayURL: string;
  readonly randomBytes: (count: number) => Buffer;
}

/**
 * The most Secrets that are deleted in one pass. A tenant may make thousands that look like its workspace's own, and
 * workspaces of others wait for the pass, after a change of leader also every edit.
 */
const MOST_REVOKED = 500;
/** The most Secrets that a condition names. */
const MOST_NAMED = 3;

/** What a pass left of the Secrets that no key names any more. */
interface Revoked {
  /** Those that the API server does not let Tollgate delete, each with what it said. */
  readonly denials: readonly string[];
  /** Others are left for the next pass. */
  readonly hasMore: boolean;
}

const NONE_LEFT: Revoked = { denials: [], hasMore: false };

/** Gives each workspace the Secrets that its keys ask for, and deletes the others that were made for it. */
export class KeysReconciler {
  readonly #options: KeysOptions;
  /** The uids of the workspaces that it has seen: what one of them leaves behind was deleted with it, and not restored. */
  readonly #seen = new Set<string>();

  constructor(options: KeysOptions) {
    this.#options = options;
  }

  /** Reconciles the Secrets of one workspace. Returns whether it has all of them and no others; throws KubeError. */
  async reconcile(ref: Ref): Promise<boolean> {
    const { informers, callerKeys, policy } = this.#options;
    const workspace = informers.workspaces.get(ref);
    if (workspace === undefined || this.#isBeingDeleted(workspace)) {
      callerKeys.setConflicts(ref, []);
      callerKeys.setDenied(ref, null);
      return true; // the garbage collector deletes its Secrets
    }
    this.#seen.add(workspace.metadata.uid ?? '');
    const conflicts: string[] = [];
    const denials: string[] = [];
    for (const key of withOwnSecret(workspace.spec.keys)) {
      const isOurs = this.#claimant(workspace.metadata, key.secretName) === workspace.metadata.uid;
      const written = isOurs && (await this.#ensure(workspace, key).catch(denialOf));
      if (written === false) conflicts.push(key.secretName);
      if (typeof written === 'string') denials.push(`Secret ${key.secretName} of key ${key.name}: ${written}.`);
    }
    callerKeys.setConflicts(ref, conflicts);
    const others = policy.isInForce(workspace) ? await this.#revokeOthers(workspace) : NONE_LEFT;
    this.#noteDenials(workspace, ref, [...denied('write', denials), ...denied('delete', others.denials)]);
    return conflicts.length === 0 && denials.length === 0 && others.denials.length === 0 && !others.hasMore;
  }

  #noteDenials(workspace: ClaudeWorkspace, ref: Ref, denials: readonly string[]): void {
    const { callerKeys, events } = this.#options;
    const message = denials.length === 0 ? null : denials.join(' ');
    if (message !== null && message !== callerKeys.denied.get(ref)) events.keyDenied(workspace, message);
    callerKeys.setDenied(ref, message);
  }

  /** Whether the workspace or its namespace is being deleted: a Secret created now would be deleted at once. */
  #isBeingDeleted({ metadata }: ClaudeWorkspace): boolean {
    const namespace = this.#options.informers.namespaces.get(metadata.namespace);
    return metadata.deletionTimestamp !== undefined || namespace?.metadata.deletionTimestamp !== undefined;
  }

  /** The uid of the workspace that gets the name: of those that ask for it the one that has it, else the oldest. */
  #claimant({ namespace }: ObjectMeta, secretName: string): string | undefined {
    const { workspaces, keySecrets } = this.#options.informers;
    const claims = workspaces
      .values()
      .filter(({ metadata }) => metadata.namespace === namespace)
      .filter(({ spec }) => spec.keys.some((key) => key.secretName === secretName))
      .toSorted(byAge)
      .map(({ metadata }) => metadata.uid);
    const existing = keySecrets.get(keyOf({ namespace, name: secretName }));
    const holder = existing && makerOf(existing);
    return claims.includes(holder) ? holder : claims[0];
  }

  /** Returns false where a Secret that Tollgate did not make has the name. */
  async #ensure(workspace: ClaudeWorkspace, key: Key): Promise<boolean> {
    const { client, informers, gatewayURL, randomBytes, events } = this.#options;
    const ref = { namespace: workspace.metadata.namespace, name: key.secretName };
    const existing = informers.keySecrets.get(keyOf(ref));
    const fresh = () => keySecret(workspace, key, keyText(randomBytes(32)), gatewayURL);
    if (existing === undefined) {
      if (!(await this.#create(fresh()))) return false;
      events.keyIssued(workspace, key.name, key.secretName, 'issued');
      return true;
    }
    if (this.#isRestored(workspace, key, existing)) {
      await this.#adopt(workspace, key, existing);
      return true;
    }
    const maker = makerOf(existing);
    if (maker === undefined) return false;
    if (maker !== workspace.metadata.uid) {
      // Made for a workspace that is gone or no longer asks for it, so that key is revoked.
      await client.delete(secrets, ref, existing.metadata.uid);
      await client.create(secrets, fresh());
      events.keyIssued(workspace, key.name, key.secretName, 'issued');
      return true;
    }
    await this.#repair(workspace, key, existing);
    return true;
  }

  /**
   * Whether a backup brought the Secret back: it has the labels of this workspace and key, and no owner or one that nobody
   * has seen. A key that stands in a second Secret, whoever's that is, is not taken over.
   */
  #isRestored(workspace: ClaudeWorkspace, key: Key, existing: Secret): boolean {
    const { informers, callerKeys } = this.#options;
    const maker = makerOf(existing);
    if (maker === workspace.metadata.uid || !isLabelledFor(existing, workspace.metadata, key.name)) return false;
    const owners = existing.metadata.ownerReferences ?? [];
    if (owners.length > (maker === undefined ? 0 : 1)) return false; // somebody else's
    if (maker !== undefined) {
      const isAlive = informers.workspaces.values().some(({ metadata }) => metadata.uid === maker);
      if (isAlive || this.#seen.has(maker)) return false;
    }
    return callerKeys.isOnlyOne(existing);
  }

  /** Makes the workspace the owner of a Secret that was restored, whose key goes on working. */
  async #adopt(workspace: ClaudeWorkspace, key: Key, existing: Secret): Promise<void> {
    const { client, gatewayURL, events } = this.#options;
    const wanted = keySecret(workspace, key, textOf(existing)!, gatewayURL);
    const whole = await client.get<Secret>(secrets, existing.metadata);
    const { ownerReferences = [] } = wanted.metadata;
    const { uid = '', resourceVersion = '' } = existing.metadata;
    const metadata = { ...whole.metadata, ownerReferences, uid, resourceVersion };
    // An immutable Secret keeps its data, also where the gateway has another URL by now.
    const data = whole.immutable === true ? whole.data : { ...whole.data, ...wanted.data };
    await client.replace<Secret>(secrets, { ...whole, ...(data === undefined ? {} : { data }), metadata });
    events.keyAdopted(workspace, key.name, key.secretName);
  }

  /** Keeps a valid key, and makes a new one where somebody changed it. */
  async #repair(workspace: ClaudeWorkspace, key: Key, existing: Secret): Promise<void> {
    const { client, callerKeys, gatewayURL, randomBytes, events } = this.#options;
    const isValid = callerKeys.valid.has(existing.metadata.uid ?? '');
    const text = isValid ? textOf(existing) : undefined;
    const wanted = keySecret(workspace, key, text ?? keyText(randomBytes(32)), gatewayURL);
    if (contains(existing, wanted)) return;
    const whole = await client.get<Secret>(secrets, existing.metadata); // the informer has only a part of it
    const labels = { ...whole.metadata.labels, ...wanted.metadata.labels };
    // With the version that was judged: a conflict where it is another one by now.
    const { uid = '', resourceVersion = '' } = existing.metadata;
    const metadata = { ...whole.metadata, labels, uid, resourceVersion };
    await client.replace<Secret>(secrets, { ...whole, data: { ...whole.data, ...wanted.data }, metadata });
    if (text === undefined) events.keyIssued(workspace, key.name, key.secretName, 'replaced');
  }

  async #create(secret: Secret): Promise<boolean> {
    const { client } = this.#options;
    try {
      await client.create(secrets, secret);
      return true;
    } catch (error) {
      if (!isKubeError(error, 'Conflict')) throw error;
      const existing = await client.get<Secret>(secrets, secret.metadata);
      if (makerOf(existing) !== undefined) throw error; // made by Tollgate; the informer will have it in a moment
      return false;
    }
  }

  async #revokeOthers(workspace: ClaudeWorkspace): Promise<Revoked> {
    const { client, informers, events } = this.#options;
    const named = new Set(workspace.spec.keys.map(({ secretName }) => secretName));
    const others = informers.keySecrets
      .values()
      .filter((secret) => isMadeFor(secret, workspace.metadata) && !named.has(secret.metadata.name));
    const denials: string[] = [];
    for (const { metadata } of others.slice(0, MOST_REVOKED)) {
      const isGone = undefinedIf('NotFound', 'Conflict');
      const said = await client.delete(secrets, metadata, metadata.uid).catch(isGone).catch(denialOf);
      if (said === undefined) events.keyRevoked(workspace, metadata.name);
      else denials.push(`Secret ${metadata.name}, whose key is refused already: ${said}.`);
    }
    return { denials, hasMore: others.length > MOST_REVOKED };
  }
}

/**
 * The keys whose Secret no other key of the workspace names. The others wait until the workspace is accepted: the first of
 * two would take over the Secret of a key that is in force.
 */
function withOwnSecret(keys: readonly Key[]): readonly Key[] {
  const counts = new Map<string, number>();
  for (const { secretName } of keys) counts.set(secretName, (counts.get(secretName) ?? 0) + 1);
  return keys.filter(({ secretName }) => counts.get(secretName) === 1);
}

/** The sentence for Secrets that the API server does not let Tollgate write or delete; none for none. */
function denied(verb: 'write' | 'delete', denials: readonly string[]): string[] {
  if (denials.length === 0) return [];
  const more = denials.length > MOST_NAMED ? [`And ${denials.length - MOST_NAMED} more.`] : [];
  return [`The API server does not let Tollgate ${verb} ${[...denials.slice(0, MOST_NAMED), ...more].join(' ')}`];
}

/** What the API server said where it will not take a Secret (a quota, a webhook, an immutable one). Throws what a retry may mend. */
function denialOf(error: unknown): string {
  const passing: readonly KubeErrorKind[] = ['Conflict', 'NotFound', 'Gone', 'TooMany'];
  if (!(error instanceof KubeError) || error.status === 0 || passing.includes(error.kind)) throw error;
  return error.message;
}
