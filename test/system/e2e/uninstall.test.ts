import { beforeAll, expect, test } from '@jest/globals';
import { kubectl } from '../../../hack/cluster/node.ts';
import { until } from '../../support/until.ts';
import { CallerPod } from './caller-pod.ts';
import { expectFlawless } from './expect-balanced.ts';
import { prepareInstallation } from './prepare-installation.ts';
import { NAMESPACE, release } from './release.ts';
import { Team } from './team.ts';
import { inPostgres, logged } from './usage-log.ts';
import { gone, podsOf } from './workloads.ts';

const TOLLGATE = 'app.kubernetes.io/name=tollgate';
const VOLUMES = ['data-tollgate-postgres-0', 'data-tollgate-redis-0'];
const EVERYWHERE = ['configmap/kube-root-ca.crt', 'serviceaccount/default'];
const CRDS = ['claudebudgets.tollgate.dev', 'claudeworkspaces.tollgate.dev'];

beforeAll(prepareInstallation, 300_000);

test('uninstall leaves the kinds, budgets, keys and volumes, and nothing else; a new installation continues with them', async () => {
  const team = await Team.create('leaving', '100.00');
  const before = await spend(team);
  const key = await keyOf(team);
  const gateways = await podsOf('gateway');
  await release.uninstall();
  await gone(gateways); // they finish what they serve
  expect(await remains()).toEqual([
    ...CRDS.map((name) => `customresourcedefinition.apiextensions.k8s.io/${name}`),
    ...VOLUMES.map((name) => `persistentvolumeclaim/${name}`),
  ]);
  expect((await team.budget()).status?.spentUsd).toBeDefined();

  await release.apply();
  await team.limit('99.00');
  expect(await keyOf(team)).toBe(key);
  const after = await spend(team);
  expect(await team.spend()).toMatchObject({ requests: before + after, spentNano: (await team.owed()).nano });
  await team.dismiss();
}, 600_000);

test('a cluster that lost everything is restored from a backup: budgets, the usage log, and what was spent', async () => {
  await release.apply();
  const team = await Team.create('restored', '100.00');
  const calls = await spend(team);
  await until(async () => (await logged(team.namespace)).calls === calls, 60_000);
  const { spentNano } = await team.spend();
  // The steps of docs/how-to/back-up-and-restore.md, with what a tenant applied taken from its own files.
  const dump = await inPostgres('pg_dump -h /tmp -U tollgate --no-owner tollgate');

  await release.uninstall();
  await kubectl(['delete', 'pvc', '-n', NAMESPACE, ...VOLUMES]);
  await kubectl(['delete', 'namespace', team.namespace]);
  await kubectl(['delete', 'crd', ...CRDS]);

  await release.apply({}, { flags: ['--set', 'operator.replicas=0,gateway.replicas=0'] });
  await inPostgres('psql -h /tmp -U tollgate -q -v ON_ERROR_STOP=1 tollgate', dump);
  await release.apply();
  await team.apply('100.00');
  await until(async () => (await team.spend()).spentNano === spentNano, 60_000);
  const more = await spend(team);
  expect(await team.spend()).toMatchObject({ requests: calls + more, spentNano: (await team.owed()).nano });
  await team.dismiss();
}, 600_000);

/** Makes some calls, waits until status and upstream's books agree, and says how many were answered. */
async function spend(team: Team): Promise<number> {
  const callers = await CallerPod.start(team, { streams: 2, callers: 2 });
  await callers.answered(20);
  const tally = await callers.stop();
  expectFlawless(tally);
  await until(async () => (await team.spend()).spentNano === (await team.owed()).nano, 30_000);
  return tally.answered;
}

/** The caller's key that the team's Pods use. */
function keyOf(team: Team): Promise<string> {
  return kubectl(['get', 'secret', 'app-claude', '-n', team.namespace, '-o', 'jsonpath={.data.ANTHROPIC_API_KEY}']);
}

/** Everything in the cluster that says that it is Tollgate's, and all that is in its namespace but what every one has. */
async function remains(): Promise<string[]> {
  const kinds = (await kubectl(['api-resources', '--verbs=list', '-o', 'name'])).trim().split('\n');
  const namespaced = (await kubectl(['api-resources', '--verbs=list', '--namespaced', '-o', 'name']))
    .trim()
    .split('\n');
  const list = (kinds: string[], ...of: string[]) =>
    kubectl(['get', kinds.filter((kind) => !kind.startsWith('events')).join(','), ...of, '-o', 'name']);
  const names = [await list(kinds, '-A', '-l', TOLLGATE), await list(namespaced, '-n', NAMESPACE)].join('').split('\n');
  const found = new Set(names.filter((name) => name !== '' && !EVERYWHERE.includes(name)));
  return [...found].toSorted((a, b) => (a < b ? -1 : 1));
}
