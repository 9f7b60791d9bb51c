import { beforeAll, expect, test } from '@jest/globals';
import { percentile } from '../../../bench/figures.ts';
import { kubectl } from '../../../hack/cluster/node.ts';
import { until } from '../../support/until.ts';
import { podOf } from './pods.ts';
import { prepareInstallation } from './prepare-installation.ts';
import type { Turn } from './probe.ts';
import { NAMESPACE } from './release.ts';
import { Team } from './team.ts';
import { podsOf } from './workloads.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 10);

beforeAll(prepareInstallation, 300_000);

test('an applied limit is enforced by every Pod, and from Programmed on no Pod admits a call', async () => {
  const team = await Team.create('enforced', '100.00');
  const gateways = await Promise.all((await podsOf('gateway')).map(addressOf));
  const probe = podOf({
    namespace: team.namespace,
    name: 'probe',
    args: ['test/system/e2e/probe.ts', ...gateways],
    secret: 'app-claude',
  });
  await kubectl(['apply', '-f', '-'], { input: probe });
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await until(
      async () => (await refusing(team)).filter(({ refuses }) => !refuses).length === gateways.length,
      60_000,
    );
    const applied = Date.now();
    await team.limit('0.00001');
    const programmed = Date.now();
    const turns = await until(async () => {
      const turns = await refusing(team);
      return turns.length === gateways.length && turns.every(({ refuses }) => refuses) && turns;
    }, 60_000);
    expect(turns.filter(({ before }) => before > programmed)).toEqual([]);
    times.push(Math.max(...turns.map(({ answered }) => answered)) - applied);
    await team.limit('100.00');
  }
  console.log(
    `kubectl apply → refused by every Pod: p50 ${percentile(times, 0.5)} ms, p99 ${percentile(times, 0.99)} ms`,
  );
  await team.dismiss();
}, 600_000);

/** How each gateway answers now, by its last turn. */
async function refusing(team: Team): Promise<Turn[]> {
  const lines = (await kubectl(['logs', 'probe', '-n', team.namespace])).trim().split('\n');
  const turns = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Turn);
  return [...new Map(turns.map((turn) => [turn.gateway, turn])).values()];
}

async function addressOf(pod: string): Promise<string> {
  const address = await kubectl(['get', 'pod', pod, '-n', NAMESPACE, '-o', 'jsonpath={.status.podIP}']);
  return `http://${address.includes(':') ? `[${address}]` : address}:8080`;
}
