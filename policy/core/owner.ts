import { type Ref, refOf } from './compiled-policy.ts';

/**
 * Whose something is that outlives a call: a batch, a row of the usage log. A name may be used again after a deletion
 * and a uid never, so a workspace that was made again, or whose namespace was, is another owner.
 */
export interface Owner {
  readonly workspace: Ref;
  readonly workspaceUid: string;
  readonly namespaceUid: string;
}

interface Identified {
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  readonly namespaceUid?: string;
}

/** Of a policy of schema 2 the uids are empty. */
export function ownerOf(workspace: Identified): Owner {
  const { uid = '', namespaceUid = '' } = workspace;
  return { workspace: refOf(workspace), workspaceUid: uid, namespaceUid };
}

/** Whether `workspace` owns what `owner` says. What was kept without uids belongs to nobody. */
export function isOwner(workspace: Identified, owner: Owner | null | undefined): boolean {
  if (owner === null || owner === undefined) return false;
  const { workspaceUid, namespaceUid } = owner;
  if (workspaceUid === '' || namespaceUid === '') return false;
  const isSameObject = workspaceUid === workspace.uid && namespaceUid === workspace.namespaceUid;
  return isSameObject && owner.workspace === refOf(workspace);
}
