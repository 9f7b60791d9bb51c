import { workspaces } from '../../crds/kinds.gen.ts';
import type { ClaudeWorkspace } from '../../crds/types.gen.ts';
import { encodeSecretData, type Secret } from '../../kube/kinds.ts';
import type { ObjectMeta } from '../../kube/object.ts';
import type { Hash } from '../../policy/shards/shard-format.ts';
import { CALLER_KEY_TYPE, KEY_ENTRY, KEY_LABEL, URL_ENTRY, WORKSPACE_LABEL } from '../cluster/object-names.ts';

type Key = ClaudeWorkspace['spec']['keys'][number];

const KEY_FORMAT = /^sk-tollgate-[A-Za-z0-9_-]{43}$/;

/** A key of 32 random bytes. */
export function keyText(bytes: Buffer): string {
  return `sk-tollgate-${bytes.toString('base64url')}`;
}

/** The Secret as it should be. The workspace owns it, so it is deleted with the workspace. */
export function keySecret(workspace: ClaudeWorkspace, key: Key, text: string, gatewayURL: string): Secret {
  const { namespace, name, uid = '' } = workspace.metadata;
  const { apiVersion, kind } = workspaces;
  return {
    metadata: {
      namespace,
      name: key.secretName,
      labels: { [WORKSPACE_LABEL]: name, [KEY_LABEL]: key.name },
      ownerReferences: [{ apiVersion, kind, name, uid, controller: true }],
    },
    type: CALLER_KEY_TYPE,
    data: encodeSecretData({ [KEY_ENTRY]: text, [URL_ENTRY]: gatewayURL }),
  };
}

/**
 * The uid of the workspace that a Secret was made for; undefined where Tollgate did not make it. Whoever may create Secrets
 * can write any uid there, also that of a workspace of another namespace: compare with `isMadeFor`.
 */
export function makerOf({ type, metadata }: Secret): string | undefined {
  if (type !== CALLER_KEY_TYPE || metadata.labels?.[WORKSPACE_LABEL] === undefined) return undefined;
  const { apiVersion, kind } = workspaces;
  return metadata.ownerReferences?.find((owner) => owner.kind === kind && owner.apiVersion === apiVersion)?.uid;
}

/** Whether a Secret was made for this workspace, and not for another object of its name or in another namespace. */
export function isMadeFor(secret: Secret, { namespace, uid }: ObjectMeta): boolean {
  return secret.metadata.namespace === namespace && uid !== undefined && makerOf(secret) === uid;
}

/** Whether a Secret is of the type of callers' keys and labelled for this key of the workspace, whoever owns it. */
export function isLabelledFor({ type, metadata }: Secret, workspace: ObjectMeta, key: string): boolean {
  const isTyped = type === CALLER_KEY_TYPE && metadata.namespace === workspace.namespace;
  return isTyped && metadata.labels?.[WORKSPACE_LABEL] === workspace.name && metadata.labels[KEY_LABEL] === key;
}

export function workspaceNameOf({ metadata }: Secret): string | undefined {
  return metadata.labels?.[WORKSPACE_LABEL];
}

export function keyNameOf({ metadata }: Secret): string | undefined {
  return metadata.labels?.[KEY_LABEL];
}

/** Whether the Secret has the data and key name of `wanted`, whatever else people added to it. */
export function contains(secret: Secret, wanted: Secret): boolean {
  const sameData = Object.entries(wanted.data ?? {}).every(([name, value]) => secret.data?.[name] === value);
  return sameData && keyNameOf(secret) === keyNameOf(wanted);
}

/** The key in a Secret; undefined where it does not have the format of Tollgate's keys. */
export function textOf(secret: Secret): string | undefined {
  const text = Buffer.from(secret.data?.[KEY_ENTRY] ?? '', 'base64').toString();
  return KEY_FORMAT.test(text) ? text : undefined;
}

/**
 * The hash of each Secret's key, by the Secret's uid. A key that is in two Secrets is valid only in the older one: a
 * copy of a key must not change which workspace pays.
 */
export function validKeys(secrets: readonly Secret[], hash: Hash): ReadonlyMap<string, string> {
  const byHash = new Map<string, string>();
  for (const secret of secrets.toSorted(byAge)) {
    const text = textOf(secret);
    if (text === undefined) continue;
    const hashed = hash(text);
    if (!byHash.has(hashed)) byHash.set(hashed, secret.metadata.uid ?? '');
  }
  return new Map([...byHash].map(([hashed, uid]) => [uid, hashed]));
}

/** Oldest first; objects of the same age by namespace and name. */
export function byAge(a: Pick<Secret, 'metadata'>, b: Pick<Secret, 'metadata'>): number {
  const [one, other] = [a, b].map(
    ({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.namespace}/${metadata.name}`,
  );
  return one! < other! ? -1 : one === other ? 0 : 1;
}
