import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { MemoryLedger } from '../../../ledger/memory/memory-ledger.ts';
import type { Ledger } from '../../../ledger/operator-ledger.ts';
import { keyPrefix } from '../../../ledger/redis/keys.ts';
import { FILES_TTL_MS } from '../../../ledger/stored-files.ts';
import { OWNER } from '../../support/owner.ts';
import { startRedis } from '../../support/redis.ts';
import { established, newInstallation } from './ledger-fixtures.ts';

let server: Awaited<ReturnType<typeof startRedis>>;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

const OTHER = { ...OWNER, workspaceUid: 'uid-of-another' };

/** Uploads, looks and deletes; what a ledger says to all of it. */
async function said({ gateway }: Ledger): Promise<unknown[]> {
  const lists = () =>
    Promise.all([
      gateway.listFiles(OWNER, null, 2),
      gateway.listFiles(OWNER, 'b', 2),
      gateway.listFiles(OTHER, null, 2),
      gateway.countFiles(OWNER),
      gateway.ownsFiles(OWNER, ['b', 'a', 'x']),
      gateway.ownsFiles(OTHER, ['b', 'a', 'x']),
      gateway.ownsFiles(OWNER, []),
    ]);
  for (const [at, id] of ['a', 'b', 'c'].entries()) await gateway.addFile(OWNER, id, at);
  await gateway.addFile(OTHER, 'x', 0);
  const before = await lists();
  await gateway.removeFile(OTHER, 'b');
  await gateway.removeFile(OWNER, 'b');
  return [before, await lists()];
}

test('an owner knows its files, newest first, in both ledgers alike', async () => {
  const installation = newInstallation();
  const ledger = await established(server, installation);
  const answers = await said(ledger);
  expect(answers).toEqual([
    [['c', 'b'], ['a'], ['x'], 3, [true, true, false], [false, false, true], []],
    [['c', 'a'], ['c', 'a'], ['x'], 2, [false, true, false], [false, false, true], []],
  ]);
  expect(await said(new MemoryLedger({ clock: () => 0 }).connect(() => 'one'))).toEqual(answers);
  const raw = new Redis(server.url);
  const key = `${keyPrefix(installation)}:files:${OWNER.namespaceUid}/${OWNER.workspaceUid}`;
  expect(await raw.pttl(key)).toBeGreaterThan(FILES_TTL_MS - 60_000);
  raw.disconnect();
  ledger.close();
});
