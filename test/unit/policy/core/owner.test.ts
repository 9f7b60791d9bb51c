import { expect, test } from '@jest/globals';
import { isOwner, ownerOf } from '../../../../policy/core/owner.ts';
import { OWNER } from '../../../support/owner.ts';

const workspace = {
  namespace: 'payments',
  name: 'checkout',
  uid: OWNER.workspaceUid,
  namespaceUid: OWNER.namespaceUid,
};

test('a workspace owns what was made under its name and both uids', () => {
  expect(ownerOf(workspace)).toEqual(OWNER);
  expect(isOwner(workspace, OWNER)).toBe(true);
});

test.each([
  ['another name', { ...OWNER, workspace: 'payments/billing' }],
  ['another object of its name', { ...OWNER, workspaceUid: 'another' }],
  ['another namespace of its name', { ...OWNER, namespaceUid: 'another' }],
  ['no uid', { ...OWNER, workspaceUid: '' }],
  ['no uid of a namespace', { ...OWNER, namespaceUid: '' }],
  ['nobody', null],
])('it does not own what belongs to %s', (_, owner) => {
  expect(isOwner(workspace, owner)).toBe(false);
});

test('a workspace whose uids are not known owns nothing, not even what was kept without uids', () => {
  const unknown = { namespace: 'payments', name: 'checkout' };
  expect(isOwner(unknown, ownerOf(unknown))).toBe(false);
});
