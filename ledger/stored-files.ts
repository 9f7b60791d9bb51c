import type { Owner } from '../policy/core/owner.ts';

/** Whose files: the uids of a workspace and of its namespace, which are never used again. */
export type FileOwner = Pick<Owner, 'workspaceUid' | 'namespaceUid'>;

/** How many files a workspace may have: the ledger keeps about 100 bytes of each. */
export const MAX_FILES = 10_000;

/** How long the ledger knows the files of a workspace that uploads nothing more. Milliseconds. */
export const FILES_TTL_MS = 400 * 24 * 60 * 60 * 1000;

/** The name under which a ledger keeps an owner's files. */
export function fileOwnerName({ workspaceUid, namespaceUid }: FileOwner): string {
  return `${namespaceUid}/${workspaceUid}`;
}
