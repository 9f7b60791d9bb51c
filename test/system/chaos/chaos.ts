import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Figure } from '../../../bench/figures.ts';
import { Installation, waitFor } from '../../../bench/installation.ts';
import { SeededRandom } from '../../../bench/seeded-random.ts';
import type { ClaudeBudget } from '../../../crds/types.gen.ts';
import { startPostgres } from '../../../hack/services/postgres.ts';
import { formatUsd, nano } from '../../../policy/core/money.ts';
import { type Proxy, startProxy } from '../../support/proxy.ts';
import { Audit } from './audit.ts';
import { BUDGETS, type BudgetName, Caps, NAMESPACE } from './caps.ts';
import { Faults } from './faults.ts';
import { RunLog } from './run-log.ts';
import { STREAMS, Traffic } from './traffic.ts';
import { ingested, readLog } from './usage-rows.ts';
import { verdict } from './verdict.ts';

const GATEWAYS = 3;
/** How long it may take until everything is settled or presumed after the last call: a few leases. */
const SETTLED_WITHIN_MS = 90_000;
/** How long it may take after the last fault until each budget has refused a call: most of it on a slow machine. */
const ALL_SPENT_WITHIN_MS = 120_000;
/** How long callers continue after the last fault and the last raised limit. */
const LAST_MS = 10_000;
const PROGRESS_MS = 10_000;
/**
 * Redis acknowledges only what is on disk. With `everysec` a kill may lose the last second, and if the gateway that wrote it
 * dies too, it is gone: the residual that docs/guarantees.md states.
 */
const REDIS = ['appendfsync always'];

/** The options of a run. */
export interface ChaosOptions {
  readonly directory: string;
  /** How long faults occur. */
  readonly seconds: number;
  /** Calls and faults are random, and the same for the same seed. */
  readonly seed: number;
  /** Receives lines of progress. */
  readonly announce: (line: string) => void;
}

/** Starts the real system, kills its processes while hundreds of callers use it, and checks all spend. */
export async function chaos(options: ChaosOptions): Promise<Figure[]> {
  const { directory, seconds, seed, announce } = options;
  await Installation.clear(directory);
  const runLog = new RunLog(join(directory, 'chaos.log'), announce);
  // Outside of the directory, since the user that Postgres runs as must own it.
  const home = mkdtempSync(join(tmpdir(), 'tollgate-chaos-log-'));
  let postgres = await startPostgres({ directory: home });
  let proxy: Proxy | undefined;
  try {
    const installation = await Installation.start(GATEWAYS, {
      directory,
      databaseUrl: postgres.url,
      redis: REDIS,
      proxyRedis: async (port) => (proxy = await startProxy(port)).port,
    });
    runLog.announce(`three gateways, two operators, Redis and Postgres are up; ${seconds} s with seed ${seed}`);
    const caps = new Caps(installation, new SeededRandom(seed + 1), runLog);
    const { apiKey } = await installation.team(NAMESPACE, caps.yaml());
    const traffic = new Traffic({
      gateways: installation.gateways,
      apiKey,
      seed,
      onRefused: (budget) => caps.refused(budget),
    });
    const audit = new Audit(installation.upstream, traffic.calls, caps);
    if (proxy === undefined) throw new Error('Redis was started without its proxy');
    const faults = new Faults(
      installation,
      proxy,
      {
        pid: () => postgres.pid,
        revive: async () => void (postgres = await startPostgres({ ...postgres, directory: home })),
      },
      new SeededRandom(seed),
      runLog,
    );
    await storm({ installation, traffic, audit, caps, faults, runLog, seconds });
    const statuses = await settled(installation, runLog);
    await audit.readOn();
    await ingested(installation.redisUrl, SETTLED_WITHIN_MS);
    faults.requireAllAlive();
    const log = await readLog(postgres.url);
    return verdict({ faults: faults.done, traffic, caps, audit, log, statuses });
  } finally {
    runLog.close();
    await Installation.stop(directory);
    await proxy?.stop();
    await postgres.stop();
    rmSync(home, { recursive: true, force: true });
  }
}

interface Storm {
  readonly installation: Installation;
  readonly traffic: Traffic;
  readonly audit: Audit;
  readonly caps: Caps;
  readonly faults: Faults;
  readonly runLog: RunLog;
  readonly seconds: number;
}

/** Starts the callers, waits until enough streams are open, and runs the faults; ends when all are repaired and the callers are done. */
async function storm(all: Storm): Promise<void> {
  const { traffic, caps, faults, runLog, seconds } = all;
  const ended = new AbortController();
  traffic.start();
  const watch = watching(ended.signal, all);
  watch.catch(() => undefined); // awaited below
  try {
    await waitFor(async () => traffic.open >= STREAMS, 120_000);
    traffic.isGathered = true;
    runLog.announce(`${traffic.open} streams are open; now the faults begin`);
    await faults.run(Date.now() + seconds * 1_000);
    await waitFor(async () => BUDGETS.every((name) => caps.refusals(name) > 0), ALL_SPENT_WITHIN_MS);
    caps.freeze();
    runLog.announce('all faults are repaired and no limit is raised any more: what is left is spent');
    await sleep(LAST_MS);
    runLog.announce('waiting for the calls in flight');
  } finally {
    await traffic.stop();
    ended.abort();
  }
  await watch;
}

/** Every second reads the upstream's new bills and raises the budgets that are spent; announces progress every ten. */
async function watching(ended: AbortSignal, { installation, traffic, audit, caps, runLog }: Storm): Promise<void> {
  let announcedAt = Date.now();
  while (!ended.aborted) {
    await sleep(1_000);
    await audit.readOn();
    await caps.raise();
    if (traffic.isGathered) await installation.release(); // also streams that began after the last release
    if (Date.now() - announcedAt < PROGRESS_MS) continue;
    announcedAt = Date.now();
    const refused = BUDGETS.map((name) => `${name} ${caps.refusals(name)}`).join(', ');
    const spent = formatUsd(nano(audit.sums.get('workspace') ?? 0n));
    const wrong = audit.faults.length === 0 ? '' : `; WRONG: ${audit.faults[0]}`;
    runLog.announce(
      `${traffic.open} streams open, ${traffic.calls.size} calls, $${spent} charged; refused by ${refused}${wrong}`,
    );
  }
}

/** Waits until all that is reserved is presumed, and returns the statuses of the budgets. */
async function settled(
  installation: Installation,
  runLog: RunLog,
): Promise<ReadonlyMap<BudgetName, NonNullable<ClaudeBudget['status']>>> {
  const statuses = new Map<BudgetName, NonNullable<ClaudeBudget['status']>>();
  const unchanged = { text: '', since: 0 };
  const took = await waitFor(async () => {
    for (const name of BUDGETS) {
      const namespace = name === 'spanning' ? 'tollgate-system' : NAMESPACE;
      const { status } = await installation.budget(namespace, name);
      if (status !== undefined) statuses.set(name, status);
    }
    const text = JSON.stringify([...statuses.values()].map(({ spentUsd, reservedUsd }) => [spentUsd, reservedUsd]));
    if (text !== unchanged.text) Object.assign(unchanged, { text, since: Date.now() });
    const isSettled = [...statuses.values()].every(({ reservedUsd, presumedUsd }) => reservedUsd === presumedUsd);
    // Status follows within seconds.
    return isSettled && Date.now() - unchanged.since > 5_000;
  }, SETTLED_WITHIN_MS);
  runLog.announce(
    took === undefined ? 'not everything is settled' : `all is settled or presumed after ${Math.round(took / 1000)} s`,
  );
  return statuses;
}
