import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatUsd, parseUsd } from '../../policy/core/money.ts';
import { type System, startSystem, stopSystem } from '../run/system.ts';
import { assets, kubectl } from '../services/kubectl.ts';
import { type Owed, owed } from './books.ts';
import { hundredCalls, refusalOf } from './customers.ts';
import { REAL_API, liveCall } from './live.ts';
import { Narrator } from './narrator.ts';
import { CALL_COST, type Tally, emptyTally, runAway } from './runaway.ts';
import { type Team, applyTeams, spentOf } from './teams.ts';

// `make demo`: two teams, real SDK calls, then a loop of 280,000 calls that would cost $847, against a $25 budget.
// CALLS=n shortens the loop. LIVE=1 with ANTHROPIC_API_KEY makes one tiny call to the real API instead.

const LIMIT = parseUsd('25.00');
const SECONDS = 120;
const calls = Number(process.env['CALLS'] ?? 280_000);
const directory = join(import.meta.dirname, '../../.run/demo');
const narrator = new Narrator(() => performance.now(), console.log);

assets(); // a first run may build the control plane, which is not part of the story's time
const live = process.env['LIVE'] === '1';
const started = begin();
let ended: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void end().finally(() => process.exit(130)));
try {
  const system = await started;
  await (live ? liveCall(system, process.env['ANTHROPIC_API_KEY'] ?? '', narrator) : story(system));
} catch (error) {
  // After a signal everything that is still under way fails, which is no news.
  if (ended === undefined)
    narrator.promise(false, `${error instanceof Error ? error.message : String(error)}; logs: .run/demo/logs`);
} finally {
  await end();
}
process.exitCode = narrator.broken === 0 ? 0 : 1;

async function begin(): Promise<System> {
  if (live && !process.env['ANTHROPIC_API_KEY']) throw new Error('LIVE=1 needs ANTHROPIC_API_KEY');
  await stopSystem(directory); // what a demo left behind that was killed
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  return startSystem({ directory, replicas: live ? 1 : 2, upstream: live ? REAL_API : undefined });
}

/** Once, whoever asks: the end of the story or a signal in the middle of it. */
function end(): Promise<void> {
  return (ended ??= started.then(
    () => stopSystem(directory),
    () => stopSystem(directory),
  ));
}

async function story(system: System): Promise<void> {
  narrator.step('A real API server, two operators, two gateways, Redis and a stand-in for the Anthropic API are up.');
  const [shop, insights] = await applyTeams(system.kubeconfig, system.upstreamUrl, new Date());
  narrator.step('Two teams have budgets, and every gateway enforces them (hack/demo/teams.yaml).');
  await showBudgets(system);

  const answered = await hundredCalls(system.gatewayUrls, shop, insights);
  narrator.step(`${answered} of 100 calls with the TypeScript SDK were answered, half of them streams.`);
  const before = await owed(system.upstreamUrl, shop.upstreamKey);
  await agreement(system, [shop, insights]);
  await showBudgets(system);

  const price = formatUsd(CALL_COST * BigInt(calls));
  narrator.step(
    `A program of the shop gets stuck: ${count(calls)} calls at $${formatUsd(CALL_COST)} would cost $${price}.`,
  );
  const tally = await loop(system, shop);
  narrator.step(
    `The loop is over: ${count(tally.letThrough)} calls were let through, ${count(tally.refused)} refused.`,
  );
  const lag = await agreement(system, [shop, insights]);
  await showBudgets(system);
  narrator.show(`  The TypeScript SDK now gets: ${await refusalOf(system.gatewayUrls[0] ?? '', shop)}\n`);

  const books = { shop: await owed(system.upstreamUrl, shop.upstreamKey), before };
  await judge(system, [shop, insights], { answered, tally, lag, books });
}

interface Outcome {
  answered: number;
  tally: Tally;
  /** How long the status took to agree with the books. Milliseconds; undefined where it never did. */
  lag: number | undefined;
  /** The upstream's own books of the shop, and what they were before the loop. */
  books: { shop: Owed; before: Owed };
}

async function judge(system: System, teams: readonly Team[], outcome: Outcome): Promise<void> {
  const { answered, tally, lag, books } = outcome;
  const left = LIMIT - books.shop.nano;
  narrator.promise(answered === 100, `${answered} of 100 SDK calls answered`);
  narrator.promise(
    tally.letThrough + tally.refused === calls,
    `${count(tally.letThrough)} let through + ${count(tally.refused)} refused = ${count(calls)}${others(tally)}`,
  );
  narrator.promise(
    books.shop.calls - books.before.calls === tally.letThrough,
    `the upstream's books: ${count(books.shop.calls - books.before.calls)} calls of the loop`,
  );
  narrator.promise(
    left >= 0n && left < CALL_COST,
    `the upstream's books: the shop spent $${formatUsd(books.shop.nano)} of $25.00; less than one call is left`,
  );
  for (const team of teams) {
    const status = await spentOf(system.kubeconfig, team);
    const { nano } = await owed(system.upstreamUrl, team.upstreamKey);
    narrator.promise(status === nano, `${team.namespace}: status $${formatUsd(status)}, books $${formatUsd(nano)}`);
  }
  narrator.promise(lag !== undefined && lag <= 5_000, `status was right ${lag ?? 'never'} ms after the last call`);
  narrator.promise(narrator.seconds <= SECONDS, `${narrator.seconds.toFixed(1)} s in all, of ${SECONDS} s`);
}

/** Runs the loop, tells how it goes every few seconds, and shows the budgets once in the middle. */
async function loop({ kubeconfig, gatewayUrls }: System, shop: Team): Promise<Tally> {
  const tally = emptyTally();
  const report = () =>
    narrator.step(
      `${count(tally.letThrough + tally.refused)} calls: ${count(tally.letThrough)} let through, ${count(tally.refused)} refused`,
    );
  const ticker = setInterval(report, 5_000);
  const running = runAway({ gateways: gatewayUrls, apiKey: shop.apiKey, calls, connections: 12 }, tally);
  const during = sleep(2_000).then(() => showBudgets({ kubeconfig }));
  try {
    await Promise.all([running, during]);
  } finally {
    clearInterval(ticker);
  }
  return tally;
}

/** Waits until status and books agree for every team, and returns after how many milliseconds they did. */
async function agreement(system: System, teams: readonly Team[]): Promise<number | undefined> {
  const started = performance.now();
  const agrees = async (team: Team) => {
    const { nano } = await owed(system.upstreamUrl, team.upstreamKey);
    return (await spentOf(system.kubeconfig, team)) === nano;
  };
  while (performance.now() - started < 15_000) {
    const all = await Promise.all(teams.map(agrees));
    if (all.every(Boolean)) return Math.round(performance.now() - started);
    await sleep(200);
  }
  return undefined;
}

async function showBudgets({ kubeconfig }: Pick<System, 'kubeconfig'>): Promise<void> {
  const table = await kubectl(kubeconfig, ['get', 'claudebudgets', '-A']);
  narrator.show(`\n  $ kubectl get claudebudgets -A\n${table.trimEnd().replaceAll(/^/gm, '  ')}\n`);
}

function others({ other }: Tally): string {
  const answers = [...other].map(([answer, times]) => `\n          ${count(times)} times: ${answer}`);
  return answers.length === 0 ? '' : `; besides${answers.join('')}`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}
