/** The findings for what is too large to be enforced as it is written. */

import type { Finding } from '../core/conditions.ts';
import type { Bytes } from '../shards/shard-room.ts';

/** The most that one resource may take in its shard. A budget for 64 customers takes 3,000 bytes, one of 500 keys 100,000. */
export const MAX_BYTES = { ClaudeBudget: 32_768, ClaudeWorkspace: 131_072 } as const;

type Kind = keyof typeof MAX_BYTES;

const REMEDY: Readonly<Record<Kind, string>> = {
  ClaudeBudget: 'Shorten its lists, or make several budgets of it.',
  ClaudeWorkspace: 'Shorten its attributes, or move keys to another workspace.',
};

/** For a resource that is larger than any of its kind may be. */
export function largerThanAllowed(kind: Kind, bytes: number, isInForce: boolean): Finding<'Accepted'> {
  const message = `spec: it takes ${bytes} bytes of the policy, and a ${kind} may take ${MAX_BYTES[kind]}. ${REMEDY[kind]} ${inForce(isInForce)}`;
  return { reason: 'TooLarge', message };
}

/** For a resource that its namespace has no room for. */
export function noRoomInShard(
  kind: Kind,
  { policy, keys }: Bytes,
  { shard, isInForce }: { readonly shard: number; readonly isInForce: boolean },
): Finding<'Accepted'> {
  const message = `spec: it takes ${policy + keys} bytes, with which its namespace would hold more than a quarter of what is free in tollgate-policy-${shard} or tollgate-keys-${shard}. ${REMEDY[kind]} Or ask the platform team to raise the setting shards. ${inForce(isInForce)}`;
  return { reason: 'TooLarge', message };
}

/** For a spanning budget that some shards have no room for. */
export function noRoomForSpanning(workspaces: number): Finding<'Accepted'> {
  const message = `It does not apply to ${workspaces} of the workspaces that it selects, because their shards are full. Raise the setting shards.`;
  return { reason: 'TooLarge', message };
}

/** For a spanning budget that the shared shard has no room for. */
export function noRoomInSharedShard(bytes: number, isInForce: boolean): Finding<'Accepted'> {
  const message = `spec: spanning budgets would take ${bytes} bytes with it, more than half of tollgate-policy-shared. ${REMEDY.ClaudeBudget} ${inForce(isInForce)}`;
  return { reason: 'TooLarge', message };
}

function inForce(isInForce: boolean): string {
  return isInForce
    ? 'The last form stays in force, with what this one suspends, revokes and lowers.'
    : 'Nothing of it is in force.';
}
