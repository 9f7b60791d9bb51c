import { beforeAll, expect, test } from '@jest/globals';
import { formatUsd, nano } from '../../../policy/core/money.ts';
import { CallerPod } from './caller-pod.ts';
import { expectBalanced, expectFlawless } from './expect-balanced.ts';
import { previousChart } from './previous.ts';
import { prepareNamespace, release } from './release.ts';
import { startStandIn } from './stand-in.ts';
import { Team } from './team.ts';
import { gone, podsOf, whole } from './workloads.ts';

beforeAll(async () => {
  await prepareNamespace();
  await startStandIn();
  await release.apply({}, { chart: previousChart() });
}, 300_000);

test('operators and gateways are replaced by the next chart under 100 open streams, and put back: no call fails, no stream is cut, not a nano-dollar is lost', async () => {
  const team = await Team.create('rolling', '100.00');
  const before = await team.budget();
  const callers = await CallerPod.start(team);
  for (const change of [() => release.apply({ waitSeconds: 9 }), () => release.rollback()]) {
    const replaced = [...(await podsOf('operator')), ...(await podsOf('gateway'))];
    await change();
    await gone(replaced);
    await callers.answered(100);
  }
  const tally = await callers.stop();
  expectFlawless(tally);
  expect(tally.refused).toBe(0);
  expect(tally.streamed).toBeGreaterThan(100);
  await expectBalanced(team, tally);
  // What was applied under the CRDs of the previous chart is there as it was, and can be edited.
  expect((await team.budget()).spec).toEqual(before.spec);
  await team.limit('99.00');
  await team.dismiss();
}, 600_000);

test('an upgrade that cannot start is rolled back, and budgets are enforced and can be lowered meanwhile', async () => {
  await release.apply();
  const team = await Team.create('steady', '100.00');
  const callers = await CallerPod.start(team, { streams: 4, callers: 4 });
  const flags = ['--set', 'image.tag=absent', '--rollback-on-failure', '--timeout=30s'];
  const upgrade = release.apply({}, { flags }).then(String, String);
  await callers.answered(20);
  // More than is spent until all gateways enforce it.
  const limit = (await team.owed()).nano + 300_000_000n;
  await team.limit(formatUsd(nano(limit)));
  await callers.refused(5);
  expect(await upgrade).toContain('has been rolled back');
  const tally = await callers.stop();
  expect(await release.status()).toBe('deployed');
  expectFlawless(tally);
  expect((await team.owed()).nano).toBeLessThanOrEqual(limit);
  await expectBalanced(team, tally);
  await team.dismiss();
}, 300_000);

test('a Redis that cannot start is rolled back too, and calls continue', async () => {
  await release.apply();
  const team = await Team.create('steady', '100.00');
  const callers = await CallerPod.start(team, { streams: 4, callers: 4 });
  const flags = ['--set', 'redis.image.tag=absent', '--rollback-on-failure', '--timeout=30s'];
  expect(await release.apply({}, { flags }).then(String, String)).toContain('has been rolled back');
  await whole();
  await callers.answered(20);
  await expectBalanced(team, await callers.stop());
  await team.dismiss();
}, 300_000);
