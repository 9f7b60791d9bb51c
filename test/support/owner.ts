import type { Owner } from '../../policy/core/owner.ts';

/** The workspace of most tests, as the one who owns its batches and rows. */
export const OWNER = {
  workspace: 'payments/checkout',
  workspaceUid: 'uid-of-checkout',
  namespaceUid: 'uid-of-payments',
} as const satisfies Owner;
