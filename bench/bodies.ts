import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Pool } from 'undici';
import { scrape } from '../hack/run/scrape.ts';
import { FULL_BYTES, HEAVY_BODIES, type HeavyBody } from '../test/support/hostile-bodies.ts';
import { type Figure, ms } from './figures.ts';
import { budget, Installation } from './installation.ts';

const METER = pathToFileURL(join(import.meta.dirname, 'loop-meter.ts')).href;

/** Sends a gateway bodies that are made to stall or to fatten it, and honest ones of the same size. It promises nothing. */
export async function measureBodies(): Promise<Figure[]> {
  await Installation.stop(); // what a gateway did before would count as memory of its bodies
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-meter-'));
  const holds = join(folder, 'holds');
  const installation = await Installation.start(1, { gatewayFlags: [`--import=${METER}?into=${holds}`] });
  const team = await installation.team('bodies', budget('bodies', 'plenty', `limit: { usd: '1000000.00' }`));
  const [gateway = ''] = installation.gateways;
  const pool = new Pool(gateway, { headersTimeout: 60_000 });
  try {
    for (let i = 0; i < 20; i++) await send(pool, team.apiKey, HEAVY_BODIES.at(-1)!, 50_000);
    const idle = await residentMegabytes(gateway);
    const figures: Figure[] = [];
    for (const body of HEAVY_BODIES) {
      writeFileSync(holds, '');
      const { status, took, megabytes } = await send(pool, team.apiKey, body, FULL_BYTES);
      await sleep(100);
      const longest = Math.max(0, ...readFileSync(holds, 'utf8').trim().split('\n').map(Number));
      figures.push({
        what: `${body.name}, ${megabytes} MB`,
        promised: '',
        measured: `${status} after ${ms(took)}; event loop held ${longest === 0 ? 'less than 5 ms' : `at most ${longest} ms`}; RSS ${await residentMegabytes(gateway)} MB (${idle} MB before all)`,
        holds: true,
      });
    }
    return figures;
  } finally {
    await pool.destroy();
    await installation.dismiss(team);
    rmSync(folder, { recursive: true });
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

async function residentMegabytes(gateway: string): Promise<number> {
  const metrics = await scrape(gateway);
  return Math.round(Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]) / 2 ** 20);
}
