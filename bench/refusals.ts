import { Redis } from 'ioredis';
import { scripts } from '../ledger/redis/scripts.ts';
import { type Figure, median } from './figures.ts';
import { Installation, type Team, budget, waitFor } from './installation.ts';
import { MessagesClient } from './messages-client.ts';
import { cpuSeconds } from './process-usage.ts';
import { startBareProxy } from './start-bare-proxy.ts';

const CONNECTIONS = 8;
const BURST = 4_000;
const ROUNDS = 5;
const GATEWAY = 'tollgate-gateway-1';
const BUDGET = 'small';

/** What a loop on a spent budget costs: refusals against calls through a bare proxy in the same run, and Redis scripts. */
export async function measureRefusals(): Promise<Figure[]> {
  const installation = await Installation.start(1);
  const team = await installation.team('refusals', budget('refusals', BUDGET, `limit: { usd: '0.05' }`));
  const bare = await startBareProxy(installation.upstream);
  const redis = new Redis(installation.redisUrl);
  try {
    const gateway = installation.gateways[0] ?? '';
    await spend(gateway, team);
    const rates: { bare: number[]; refused: number[]; scripts: number[]; micros: number[] } = {
      bare: [],
      refused: [],
      scripts: [],
      micros: [],
    };
    for (let round = -1; round < ROUNDS; round++) {
      const bareRate = await burst(bare.url, team.upstreamKey, 200);
      const cpu = cpuSeconds(installation.pid(GATEWAY));
      let refused = 0;
      const scriptsRun = await scriptsPerSecond(redis, async () => {
        refused = await burst(gateway, team.apiKey, 429);
      });
      if (round < 0) continue; // warms up
      rates.bare.push(bareRate);
      rates.refused.push(refused);
      rates.scripts.push(scriptsRun);
      rates.micros.push(((cpuSeconds(installation.pid(GATEWAY)) - cpu) / BURST) * 1e6);
    }
    return [
      throughputFigure(median(rates.refused), median(rates.bare), median(rates.micros)),
      scriptsFigure(median(rates.scripts)),
      await countFigure(installation, (ROUNDS + 1) * BURST),
    ];
  } finally {
    redis.disconnect();
    await bare.child.stop();
    await installation.dismiss(team);
  }
}

async function spend(gateway: string, team: Team): Promise<void> {
  const caller = new MessagesClient(gateway, team.apiKey, 1);
  for (;;) {
    const { status } = await caller.send({ behaviour: { usage: { output_tokens: 200 } } });
    if (status === 429) break;
  }
  await caller.close();
}

/** Calls a second, all of which must have that status. */
async function burst(url: string, apiKey: string, expected: number): Promise<number> {
  const caller = new MessagesClient(url, apiKey, CONNECTIONS);
  const started = performance.now();
  let left = BURST;
  const worker = async () => {
    while (left-- > 0) {
      const { status, text } = await caller.send({});
      if (status !== expected) throw new Error(`${status} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  const seconds = (performance.now() - started) / 1000;
  await caller.close();
  return BURST / seconds;
}

/** How many scripts a second the refusals cost: reserves that ask again, and those that count them. */
async function scriptsPerSecond(redis: Redis, during: () => Promise<unknown>): Promise<number> {
  const counted = new Set([scripts.reserve.sha, scripts.recordRefusals.sha]);
  const monitor = await redis.monitor();
  let run = 0;
  monitor.on('monitor', (_, [command = '', sha = '']: string[]) => {
    if (command.toLowerCase() === 'evalsha' && counted.has(sha)) run += 1;
  });
  const started = performance.now();
  await during();
  const seconds = (performance.now() - started) / 1000;
  monitor.disconnect();
  return run / seconds;
}

function throughputFigure(refused: number, bare: number, micros: number): Figure {
  return {
    what: `refusals of a spent budget, ${CONNECTIONS} connections, one gateway process`,
    promised: '≥ 0.5 × what a bare Node proxy serves',
    measured: `${(refused / bare).toFixed(2)} ×: ${Math.round(refused)} refusals/s against ${Math.round(bare)} calls/s; ${Math.round(micros)} µs of CPU a refusal`,
    holds: refused / bare >= 0.5,
  };
}

function scriptsFigure(scriptsRun: number): Figure {
  return {
    what: 'Redis scripts that these refusals cost',
    promised: '≤ 5 a second',
    measured: `${scriptsRun.toFixed(1)} a second`,
    holds: scriptsRun <= 5,
  };
}

/** Each of them is in the status all the same, with the one that ended the spending. */
async function countFigure(installation: Installation, refused: number): Promise<Figure> {
  let counted = 0;
  const took = await waitFor(async () => {
    counted = (await installation.budget('refusals', BUDGET)).status?.refused ?? 0;
    return counted >= refused + 1;
  }, 15_000);
  return {
    what: 'refusals in the status of the budget',
    promised: 'exact within 10 s',
    measured: `${counted} of ${refused + 1}${took === undefined ? '' : ` after ${(took / 1000).toFixed(1)} s`}`,
    holds: counted === refused + 1 && took !== undefined && took <= 10_000,
  };
}
