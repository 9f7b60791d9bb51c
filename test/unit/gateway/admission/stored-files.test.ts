import { expect, test } from '@jest/globals';
import { StoredFiles } from '../../../../gateway/admission/stored-files.ts';
import { LedgerUnreachable } from '../../../../ledger/ledger.ts';
import type { ResolvedWorkspace } from '../../../../policy/admit/resolved-workspace.ts';
import { OWNER } from '../../../support/owner.ts';

const { workspaceUid: uid, namespaceUid } = OWNER;
const workspace = { namespace: 'payments', name: 'checkout', uid, namespaceUid, files: 'Allow' } as ResolvedWorkspace;

test('the ledger is asked about the files of a large batch in portions, up to the first that is another’s', async () => {
  const asked: number[] = [];
  const ownsFiles = async (_owner: unknown, files: readonly string[]) => {
    asked.push(files.length);
    return files.map((file) => !file.startsWith('foreign'));
  };
  const storedFiles = new StoredFiles({
    ledger: { ownsFiles },
    settings: { waitSeconds: 0 },
    now: () => 0,
    elapsed: () => 0,
  } as never);
  const own = Array.from({ length: 2_500 }, (_, index) => `own-${index}`);
  expect(await storedFiles.refuseForeign(workspace, own)).toBeNull();
  expect(asked.splice(0)).toEqual([1_000, 1_000, 500]);
  const foreign = Array.from({ length: 200_000 }, (_, index) => `foreign-${index}`);
  const refusal = await storedFiles.refuseForeign(workspace, [...own, ...foreign]);
  expect(refusal).toMatchObject({ reason: 'NotFound', message: expect.stringContaining('"foreign-0"') });
  expect(asked).toEqual([1_000, 1_000, 1_000]);
});

test.each([
  ['the workspace has no room', () => Promise.resolve(10_000)],
  ['the ledger is away', () => Promise.reject(new LedgerUnreachable('no connection'))],
])('a file that code made belongs to nobody, which is said, where %s', async (_, countFiles) => {
  const unowned: unknown[] = [];
  const storedFiles = new StoredFiles({
    ledger: { countFiles },
    settings: { waitSeconds: 0 },
    now: () => 0,
    elapsed: () => 0,
    onUnowned: (...told: unknown[]) => unowned.push(told),
  } as never);
  await storedFiles.keepMade(workspace, ['file_1']);
  expect(unowned).toEqual([['payments/checkout', ['file_1']]]);
});
