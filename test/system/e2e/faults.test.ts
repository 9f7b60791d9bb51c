import { beforeAll, expect, test } from '@jest/globals';
import { formatUsd, nano } from '../../../policy/core/money.ts';
import { until } from '../../support/until.ts';
import { CallerPod } from './caller-pod.ts';
import { expectBalanced, expectFlawless } from './expect-balanced.ts';
import { prepareInstallation } from './prepare-installation.ts';
import { Team } from './team.ts';
import { evict, gone, kill, leader, podsOf, remove, restartsOf, whole } from './workloads.ts';

/** What a team may still spend when its limit is lowered: more than it does in the seconds until all gateways enforce it. Nano-dollars. */
const MORE = 300_000_000n;

beforeAll(prepareInstallation, 300_000);

/** Lowers the limit of a team under load to a little more than it owes. @returns the limit, which nothing may exceed. */
async function lower(team: Team): Promise<bigint> {
  const limit = (await team.owed()).nano + MORE;
  await team.limit(formatUsd(nano(limit)));
  // Had it been enforced later than that, it would bind nothing.
  expect((await team.owed()).nano).toBeLessThan(limit);
  return limit;
}

test('the Pod of Redis is replaced under 100 open streams: calls wait and continue, and none is admitted over the budget', async () => {
  const team = await Team.create('ledger-moves', '100.00');
  const callers = await CallerPod.start(team);
  await remove('tollgate-redis-0');
  await whole();
  await callers.answered(100);
  // The counters that the new Pod holds are those that count: so much more, and not a call beyond it.
  const limit = await lower(team);
  await callers.refused(20);
  const tally = await callers.stop();
  expectFlawless(tally);
  expect((await team.owed()).nano).toBeLessThanOrEqual(limit);
  await expectBalanced(team, tally);
  await team.dismiss();
}, 600_000);

test('Pods of every other kind are deleted and evicted under load: no call fails, no stream is cut, every row is in the log', async () => {
  const team = await Team.create('pods-move', '100.00');
  const callers = await CallerPod.start(team, { streams: 30 });
  const [deleted, evicted] = await podsOf('gateway');
  const led = await leader();
  await evict(evicted!);
  await remove(led);
  await remove('tollgate-postgres-0');
  await gone([evicted!]);
  await whole();
  await remove(deleted!);
  await whole();
  expect(await leader()).not.toBe(led);
  await callers.answered(50);
  const tally = await callers.stop();
  expectFlawless(tally);
  expect(tally.refused).toBe(0);
  await expectBalanced(team, tally);
  await team.dismiss();
}, 600_000);

test('the leading operator is killed: another one enforces the next edit', async () => {
  const team = await Team.create('leaderless', '1.00');
  const killed = await leader();
  await kill(killed);
  await team.limit('2.00');
  expect((await team.budget()).status?.limitUsd).toBe('2.00');
  await whole();
  await team.dismiss();
}, 300_000);

test('gateways, Redis and Postgres are killed under load: no other Pod fails, all that was billed is settled or presumed, and never over the budget', async () => {
  const team = await Team.create('killed', '100.00');
  const callers = await CallerPod.start(team, { streams: 30 });
  const killed = (await podsOf('gateway'))[0]!;
  const { [killed]: _, ...survivors } = { ...(await restartsOf('gateway')), ...(await restartsOf('operator')) };
  for (const pod of [killed, 'tollgate-redis-0', 'tollgate-postgres-0']) {
    await kill(pod);
    await whole();
    await callers.answered(50);
  }
  const limit = await lower(team);
  await callers.refused(5);
  const tally = await callers.stop();
  expect({ ...(await restartsOf('gateway')), ...(await restartsOf('operator')) }).toMatchObject(survivors);
  // Every reservation of the gateway that died is settled or presumed a lease later.
  const spend = await until(async () => {
    const spend = await team.spend();
    return spend.reservedNano === spend.presumedNano && spend;
  }, 90_000);
  const owed = await team.owed();
  expect(owed.nano).toBeLessThanOrEqual(spend.spentNano + spend.presumedNano);
  expect(spend.spentNano + spend.presumedNano).toBeLessThanOrEqual(limit);
  expect(owed.calls).toBeGreaterThanOrEqual(tally.answered);
  await team.dismiss();
}, 600_000);
