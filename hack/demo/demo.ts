import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatUsd, parseUsd, nano as toNano } from '../../policy/core/money.ts';
import { assetFolder } from '../assets/asset-folder.ts';
import { REAL_API, type System, startSystem, stopSystem } from '../run/system.ts';
import { kubectl } from '../services/kubectl.ts';
import { liveCall } from './live-call.ts';
import { Output } from './output.ts';
import { CALL_COST, type Tally, emptyTally, runAway } from './runaway-loop.ts';
import { hundredCalls, refusalOf } from './sdk-calls.ts';
import { type Team, applyTeams, spentOf } from './teams.ts';
import { type Bill, upstreamBill } from './upstream-bill.ts';

// `make demo`: two teams, real SDK calls, then a loop of 280,000 calls that would cost $847, against a $25 budget. A slow
// machine makes fewer of them (FULL=1: all). LIVE=1 with ANTHROPIC_API_KEY makes one tiny call to the real API instead.
// Times are printed and never checked; what is checked is money.

const LIMIT = parseUsd('25.00');
const CALLS = 280_000;
/** When the loop should be over on a slow machine, since the beginning; but it may always take LOOP_MIN_MS. */
const LOOP_END_MS = 65_000;
const LOOP_MIN_MS = 20_000;
/** How long status may take to agree with the upstream's bill. Two seconds are usual; a slow machine is no failure. */
const AGREEMENT_MS = 120_000;
const full = process.env['FULL'] === '1';
const live = process.env['LIVE'] === '1';
const directory = join(import.meta.dirname, '../../.run/demo');
const output = new Output(() => performance.now(), console.log);

assetFolder('api_server'); // a first run may build it, which is not part of the demo's time
const started = begin();
let ended: Promise<void> | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void end().finally(() => process.exit(130)));
try {
  const system = await started;
  await (live ? liveCall(system, process.env['ANTHROPIC_API_KEY'] ?? '', output) : demonstrate(system));
} catch (error) {
  // After a signal everything in progress fails, which is not worth a message.
  if (ended === undefined)
    output.check(false, `${error instanceof Error ? error.message : String(error)}; logs: .run/demo/logs`);
} finally {
  await end();
}
process.exitCode = output.failures === 0 ? 0 : 1;

async function begin(): Promise<System> {
  if (live && !process.env['ANTHROPIC_API_KEY']) throw new Error('LIVE=1 needs ANTHROPIC_API_KEY');
  await stopSystem(directory); // what an interrupted demo left running
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  // Nothing is deleted here, so the controllers need not be built for it.
  const options = { directory, controllers: false };
  return startSystem({ ...options, replicas: live ? 1 : 2, upstream: live ? REAL_API : undefined });
}

/** Stops the system once, at the end of the demo or at a signal before it. */
function end(): Promise<void> {
  return (ended ??= started.then(
    () => stopSystem(directory),
    () => stopSystem(directory),
  ));
}

async function demonstrate(system: System): Promise<void> {
  output.step('A real API server, two operators, two gateways, Redis and a stand-in for the Anthropic API are up.');
  const [shop, insights] = await applyTeams(system.kubeconfig, new Date());
  output.step('Two teams have budgets, and every gateway enforces them (hack/demo/teams.yaml).');
  await printBudgets(system);

  const answered = await hundredCalls(system.gatewayUrls, shop, insights);
  output.step(`${answered} of 100 calls with the TypeScript SDK were answered, half of them streams.`);
  const before = await upstreamBill(system.upstreamUrl, shop.upstreamKey);
  await agreement(system, [shop, insights]);
  await printBudgets(system);

  const price = formatUsd(toNano(CALL_COST * BigInt(CALLS)));
  output.step(
    `A program of the shop gets stuck: ${count(CALLS)} calls at $${formatUsd(toNano(CALL_COST))} would cost $${price}.`,
  );
  const { tally, calls } = await loop(system, shop);
  output.step(`The loop is over: ${count(tally.letThrough)} calls were let through, ${count(tally.refused)} refused.`);
  const delayMs = await agreement(system, [shop, insights]);
  await printBudgets(system);
  output.print(`  The TypeScript SDK now gets: ${await refusalOf(system.gatewayUrls[0] ?? '', shop)}\n`);

  const bill = await upstreamBill(system.upstreamUrl, shop.upstreamKey);
  await check(system, [shop, insights], { answered, tally, calls, before, bill });
  if (delayMs !== undefined) output.print(`  Status was right ${delayMs} ms after the last call.`);
  output.print(`  The demo took ${output.seconds.toFixed(1)} s.`);
}

interface Outcome {
  /** SDK calls that were answered. */
  answered: number;
  tally: Tally;
  /** How many calls the loop made. */
  calls: number;
  /** What the upstream charged the shop, before the loop and after it. */
  before: Bill;
  bill: Bill;
}

async function check(system: System, teams: readonly Team[], outcome: Outcome): Promise<void> {
  const { answered, tally, calls, before, bill } = outcome;
  const left = LIMIT - bill.nano;
  output.check(answered === 100, `${answered} of 100 SDK calls answered`);
  output.check(
    tally.letThrough + tally.refused === calls,
    `${count(tally.letThrough)} let through + ${count(tally.refused)} refused = ${count(calls)}${others(tally)}`,
  );
  output.check(
    bill.calls - before.calls === tally.letThrough,
    `the upstream's bill: ${count(bill.calls - before.calls)} calls of the loop`,
  );
  output.check(
    left >= 0n && left < CALL_COST,
    `the upstream's bill: the shop spent $${formatUsd(toNano(bill.nano))} of $25.00; less than one call is left`,
  );
  for (const team of teams) {
    const status = await spentOf(system.kubeconfig, team);
    const { nano } = await upstreamBill(system.upstreamUrl, team.upstreamKey);
    output.check(
      status === nano,
      `${team.namespace}: status $${formatUsd(toNano(status))}, bill $${formatUsd(toNano(nano))}`,
    );
  }
}

/** Runs the loop, prints its progress every five seconds, and the budgets once in the middle. */
async function loop({ kubeconfig, gatewayUrls }: System, shop: Team): Promise<{ tally: Tally; calls: number }> {
  const tally = emptyTally();
  let calls = CALLS;
  const onShortened = (inTime: number) => {
    calls = inTime;
    output.step(
      `On this machine all calls would take too long: the loop ends after ${count(calls)}. FULL=1 makes all.`,
    );
  };
  const report = () =>
    output.step(
      `${count(tally.letThrough + tally.refused)} calls: ${count(tally.letThrough)} let through, ${count(tally.refused)} refused`,
    );
  const ticker = setInterval(report, 5_000);
  const targetMs = Math.max(LOOP_MIN_MS, LOOP_END_MS - output.seconds * 1000);
  const time = full ? {} : { targetMs, onShortened };
  const running = runAway({ gateways: gatewayUrls, apiKey: shop.apiKey, calls, connections: 12, ...time }, tally);
  const during = sleep(2_000).then(() => printBudgets({ kubeconfig }));
  try {
    await Promise.all([running, during]);
  } finally {
    clearInterval(ticker);
  }
  return { tally, calls };
}

/** Waits until status and the upstream's bill agree for every team. @returns milliseconds; undefined where they never do */
async function agreement(system: System, teams: readonly Team[]): Promise<number | undefined> {
  const asked = performance.now();
  const agrees = async (team: Team) => {
    const { nano } = await upstreamBill(system.upstreamUrl, team.upstreamKey);
    return (await spentOf(system.kubeconfig, team)) === nano;
  };
  while (performance.now() - asked < AGREEMENT_MS) {
    const all = await Promise.all(teams.map(agrees));
    if (all.every(Boolean)) return Math.round(performance.now() - asked);
    await sleep(200);
  }
  return undefined;
}

async function printBudgets({ kubeconfig }: Pick<System, 'kubeconfig'>): Promise<void> {
  const table = await kubectl(kubeconfig, ['get', 'claudebudgets', '-A']);
  output.print(`\n  $ kubectl get claudebudgets -A\n${table.trimEnd().replaceAll(/^/gm, '  ')}\n`);
}

function others({ other }: Tally): string {
  const answers = [...other].map(([answer, times]) => `\n          ${count(times)} times: ${answer}`);
  return answers.length === 0 ? '' : `; also${answers.join('')}`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}
