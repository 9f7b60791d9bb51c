import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Dice } from '../../../bench/dice.ts';
import type { Figure } from '../../../bench/figures.ts';
import { Installation, waitFor } from '../../../bench/installation.ts';
import type { ClaudeBudget } from '../../../crds/types.gen.ts';
import { startPostgres } from '../../../hack/services/postgres.ts';
import { formatUsd } from '../../../policy/core/money.ts';
import { type Proxy, startProxy } from '../../support/proxy.ts';
import { Audit } from './audit.ts';
import { BUDGETS, type BudgetName, Caps, NAMESPACE } from './caps.ts';
import { Chronicle } from './chronicle.ts';
import { Faults } from './faults.ts';
import { ingested, readLog } from './records.ts';
import { STREAMS, Traffic } from './traffic.ts';
import { verdict } from './verdict.ts';

const GATEWAYS = 3;
/** How long everything may take to be settled or presumed, once nothing is asked any more: a few leases. */
const SETTLED_WITHIN_MS = 90_000;
/** For how long callers go on when nothing breaks and nothing is raised any more. */
const LAST_MS = 10_000;
const PROGRESS_MS = 10_000;
/**
 * Redis acknowledges nothing that is not on disk. With `everysec` a kill may take the last second with it, and where the
 * gateway that knew dies as well it is gone: the residual that docs/guarantees.md states.
 */
const REDIS = ['appendfsync always'];

/** What a run is. */
export interface ChaosOptions {
  readonly directory: string;
  /** How long things break. */
  readonly seconds: number;
  /** What is asked and what breaks is random, and the same for the same seed. */
  readonly seed: number;
  /** Told how it goes on. */
  readonly say: (line: string) => void;
}

/** Brings the real system up, lets hundreds of callers at it while its processes are killed, and judges the books. */
export async function chaos(options: ChaosOptions): Promise<Figure[]> {
  const { directory, seconds, seed, say } = options;
  await Installation.clear(directory);
  const chronicle = new Chronicle(join(directory, 'chaos.log'), say);
  // A folder that Postgres can own.
  const home = mkdtempSync(join(tmpdir(), 'tollgate-chaos-log-'));
  let postgres = await startPostgres({ directory: home });
  let way: Proxy | undefined;
  try {
    const installation = await Installation.start(GATEWAYS, {
      directory,
      databaseUrl: postgres.url,
      redis: REDIS,
      wayToRedis: async (port) => (way = await startProxy(port)).port,
    });
    chronicle.say(`three gateways, two operators, Redis and Postgres are up; ${seconds} s with seed ${seed}`);
    const caps = new Caps(installation, new Dice(seed + 1), chronicle);
    const { apiKey } = await installation.team(NAMESPACE, caps.yaml());
    const traffic = new Traffic({
      gateways: installation.gateways,
      apiKey,
      seed,
      onRefused: (budget) => caps.refused(budget),
    });
    const audit = new Audit(installation.upstream, traffic.calls, caps);
    if (way === undefined) throw new Error('Redis was started without a way to it');
    const faults = new Faults(
      installation,
      way,
      {
        pid: () => postgres.pid,
        revive: async () => void (postgres = await startPostgres({ ...postgres, directory: home })),
      },
      new Dice(seed),
      chronicle,
    );
    await storm({ installation, traffic, audit, caps, faults, chronicle, seconds });
    const statuses = await settled(installation, chronicle);
    await audit.readOn();
    await ingested(installation.redisUrl, SETTLED_WITHIN_MS);
    faults.rollCall();
    const log = await readLog(postgres.url);
    return verdict({ faults: faults.done, traffic, caps, audit, log, statuses });
  } finally {
    chronicle.close();
    await Installation.stop(directory);
    await way?.stop();
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
  readonly chronicle: Chronicle;
  readonly seconds: number;
}

/** Callers first; once as many streams are open as shall be, things break, until all is mended and the callers are gone. */
async function storm(all: Storm): Promise<void> {
  const { traffic, caps, faults, chronicle, seconds } = all;
  const ended = new AbortController();
  traffic.start();
  const watch = watching(ended.signal, all);
  watch.catch(() => undefined); // seen below
  try {
    await waitFor(async () => traffic.open >= STREAMS, 120_000);
    traffic.isGathered = true;
    chronicle.say(`${traffic.open} streams are open; now things break`);
    await faults.run(Date.now() + seconds * 1_000);
    caps.freeze();
    chronicle.say('all is mended and nothing is raised any more: what is left is spent');
    await sleep(LAST_MS);
    chronicle.say('waiting for the calls under way');
  } finally {
    await traffic.stop();
    ended.abort();
  }
  await watch;
}

/** Reads the books on and raises what is spent every second, and says every ten how it goes. */
async function watching(ended: AbortSignal, { installation, traffic, audit, caps, chronicle }: Storm): Promise<void> {
  let said = Date.now();
  while (!ended.aborted) {
    await sleep(1_000);
    await audit.readOn();
    await caps.raise();
    if (traffic.isGathered) await installation.release(); // also who began as the last one did
    if (Date.now() - said < PROGRESS_MS) continue;
    said = Date.now();
    const refused = BUDGETS.map((name) => `${name} ${caps.refusals(name)}`).join(', ');
    const spent = formatUsd(audit.sums.get('workspace') ?? 0n);
    const wrong = audit.faults.length === 0 ? '' : `; WRONG: ${audit.faults[0]}`;
    chronicle.say(
      `${traffic.open} streams open, ${traffic.calls.size} calls, $${spent} charged; refused by ${refused}${wrong}`,
    );
  }
}

/** Waits until nothing is reserved but what is presumed, and returns what the budgets' statuses say then. */
async function settled(
  installation: Installation,
  chronicle: Chronicle,
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
  chronicle.say(
    took === undefined ? 'not everything is settled' : `all is settled or presumed after ${Math.round(took / 1000)} s`,
  );
  return statuses;
}
