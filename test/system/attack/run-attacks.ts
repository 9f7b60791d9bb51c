import type { Figure } from '../../../bench/figures.ts';
import { ms, percentile } from '../../../bench/figures.ts';
import { budget, Installation, type Team, waitFor } from '../../../bench/installation.ts';
import { peakMemoryBytes } from '../../../bench/process-usage.ts';
import { SeededRandom } from '../../../bench/seeded-random.ts';
import { formatUsd, nano, parseUsd } from '../../../policy/core/money.ts';
import type { Attack } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import { HostileTenant, type TenantOptions } from './hostile-tenant.ts';
import { Neighbour } from './neighbour.ts';

const GATEWAYS = ['tollgate-gateway-1', 'tollgate-gateway-2'];
const PROCESSES = [...GATEWAYS, 'tollgate-operator-1', 'tollgate-operator-2', 'redis'];
/** How long calls may take to be settled. */
const SETTLED_WITHIN_MS = 30_000;
/** What no call of another tenant may exceed. Milliseconds. */
const LATENCY_MS = 100;

export interface AttackOptions {
  readonly directory: string;
  readonly seed: number;
  /** As in `Scene`. */
  readonly variants: number;
  /** Names of attacks; absent: all. */
  readonly only?: readonly string[];
  /** Receives lines of progress. */
  readonly announce: (line: string) => void;
}

export interface AttackOutcome {
  /** What should not have happened, in sentences. */
  readonly violations: readonly string[];
  /** What depends on the speed of the machine. */
  readonly figures: readonly Figure[];
}

/** Starts the real system and makes all attacks on it, one after the other. */
export async function runAttacks(options: AttackOptions): Promise<AttackOutcome> {
  const { directory, only } = options;
  await Installation.clear(directory);
  try {
    const installation = await Installation.start(GATEWAYS.length, { directory });
    const team = await installation.team('neighbour', budget('neighbour', 'plenty', `limit: { usd: '1000.00' }`));
    const neighbour = new Neighbour(installation, team);
    const attacks = ATTACKS.filter(({ name }) => only === undefined || only.includes(name));
    let outcome: AttackOutcome;
    try {
      outcome = await makeAll(attacks, installation, neighbour, options);
    } finally {
      await neighbour.stop();
    }
    const books = await booksDiffer(installation, team);
    return { violations: [...outcome.violations, ...books], figures: [...outcome.figures, memoryFigure(installation)] };
  } finally {
    await Installation.stop(directory);
  }
}

async function makeAll(
  attacks: readonly Attack[],
  installation: Installation,
  neighbour: Neighbour,
  { seed, variants, announce }: AttackOptions,
): Promise<AttackOutcome> {
  const violations: string[] = [];
  const figures: Figure[] = [];
  const tenants: HostileTenant[] = [];
  for (const [index, attack] of attacks.entries()) {
    const { name, threat } = attack;
    announce(`${name}: ${threat}`);
    const report = (violation: string): void => {
      violations.push(`${name}: ${violation}`);
      announce(`  WRONG: ${violation}`);
    };
    const tenant = async (tenantOptions: TenantOptions): Promise<HostileTenant> => {
      const made = await HostileTenant.make(installation, tenantOptions);
      tenants.push(made);
      return made;
    };
    const pids = PROCESSES.map((process) => [process, installation.pid(process)] as const);
    await attack.run({ installation, random: new SeededRandom(seed * 1_000 + index), variants, tenant, report });
    for (const [process, pid] of pids) if (peakMemoryBytes(pid) === null) report(`${process} has ended`);
    for (const url of installation.gateways) {
      const ready = await fetch(`${url}/readyz`).catch(() => null);
      if (ready?.status !== 200) report(`${url} is not ready`);
    }
    const { latencies, failures } = await neighbour.take();
    for (const failure of failures.slice(0, 3)) report(`a call of the neighbour failed: ${failure}`);
    figures.push(latencyFigure(name, latencies));
  }
  for (const one of tenants) {
    violations.push(...(await uncounted(installation, one)));
    await one.close();
  }
  return { violations, figures };
}

/** Waits until a tenant's budget counts what the upstream charged, and compares that charge with the cap. */
async function uncounted(installation: Installation, { team, capUsd }: HostileTenant): Promise<readonly string[]> {
  let owed = 0n;
  let held = 0n;
  const isHeld = await waitFor(async () => {
    owed = (await installation.owed(team)).nano;
    const { spentUsd = '0', presumedUsd = '0' } = (await installation.budget(team.namespace, 'cap')).status ?? {};
    held = parseUsd(spentUsd) + parseUsd(presumedUsd);
    return held >= owed;
  }, SETTLED_WITHIN_MS);
  const charged = `${team.namespace} was charged $${formatUsd(nano(owed))}`;
  return [
    ...(owed > parseUsd(capUsd) ? [`${charged} of a cap of $${capUsd}`] : []),
    ...(isHeld === undefined ? [`${charged}, of which its budget counts $${formatUsd(nano(held))} only`] : []),
  ];
}

/** Waits until the neighbour's status says what the upstream charged. */
async function booksDiffer(installation: Installation, team: Team): Promise<readonly string[]> {
  const { nano: owed } = await installation.owed(team);
  let shown = '';
  const same = await waitFor(async () => {
    shown = (await installation.budget(team.namespace, 'plenty')).status?.spentUsd ?? '';
    return shown !== '' && parseUsd(shown) === owed;
  }, SETTLED_WITHIN_MS);
  return same === undefined ? [`the neighbour owes $${formatUsd(nano(owed))} and its status says $${shown}`] : [];
}

function latencyFigure(name: string, latencies: readonly number[]): Figure {
  const p99 = percentile(latencies, 0.99);
  return {
    what: `${name}: calls of the neighbour`,
    promised: `p99 ≤ ${LATENCY_MS} ms`,
    measured: `p50 ${ms(percentile(latencies, 0.5))}, p99 ${ms(p99)}, at most ${ms(percentile(latencies, 1))} (${latencies.length} calls)`,
    holds: latencies.length === 0 || p99 <= LATENCY_MS,
  };
}

function memoryFigure(installation: Installation): Figure {
  const peaks = GATEWAYS.map((name) => Math.round((peakMemoryBytes(installation.pid(name)) ?? 0) / 1e6));
  return {
    what: 'memory (most RSS) of the gateways',
    promised: '',
    measured: `${peaks.join(' and ')} MB`,
    holds: true,
  };
}
