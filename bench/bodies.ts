import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { FULL_BYTES, HEAVY_BODIES, type HeavyBody } from '../test/support/hostile-bodies.ts';
import { type Figure, ms } from './figures.ts';
import { budget, Installation } from './installation.ts';

/** Sends a gateway bodies that are made to stall or to fatten it, and honest ones of the same size. It promises nothing. */
export async function measureBodies(): Promise<Figure[]> {
  await Installation.stop(); // what a gateway did before would count as memory of its bodies
  const installation = await Installation.start(1);
  const team = await installation.team('bodies', budget('bodies', 'plenty', `limit: { usd: '1000000.00' }`));
  const [gateway = ''] = installation.gateways;
  const pool = new Pool(gateway, { headersTimeout: 60_000 });
  try {
    const figures: Figure[] = [];
    await send(pool, team.apiKey, HEAVY_BODIES.at(-1)!, 50_000);
    for (const body of HEAVY_BODIES) {
      await look(gateway);
      const idle = await look(gateway);
      const answer = await send(pool, team.apiKey, body, FULL_BYTES);
      const { holdMs, residentMB } = await look(gateway);
      figures.push({
        what: `${body.name}, ${answer.megabytes} MB`,
        promised: '',
        measured: `${answer.status} after ${ms(answer.took)}; event loop held for at most ${ms(holdMs)}; ${idle.residentMB} MB of RSS before, ${residentMB} MB after`,
        holds: true,
      });
      await sleep(200);
    }
    return figures;
  } finally {
    await pool.destroy();
    await installation.dismiss(team);
  }
}

async function send(pool: Pool, apiKey: string, { make }: HeavyBody, bytes: number) {
  const body = make(bytes);
  const begun = performance.now();
  const headers = { 'x-api-key': apiKey, 'anthropic-version': '2023-06-01', 'content-type': 'application/json' };
  const answer = await pool.request({ method: 'POST', path: '/v1/messages', headers, body });
  await answer.body.dump();
  const megabytes = (body.length / 2 ** 20).toFixed(1);
  return { status: answer.statusCode, took: performance.now() - begun, megabytes };
}

/** The longest hold since the last look, and the memory now. */
async function look(gateway: string): Promise<{ holdMs: number; residentMB: number }> {
  const metrics = await (await fetch(`${gateway}/metrics`)).text();
  const figure = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
  return {
    holdMs: 1000 * figure('nodejs_eventloop_lag_max_seconds'),
    residentMB: Math.round(figure('process_resident_memory_bytes') / 2 ** 20),
  };
}
