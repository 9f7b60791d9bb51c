import type { Figure } from '../../../bench/figures.ts';
import { ms, percentile } from '../../../bench/figures.ts';
import { budget, Installation, type Team, waitFor } from '../../../bench/installation.ts';
import { peakMemoryBytes } from '../../../bench/process-usage.ts';
import { SeededRandom } from '../../../bench/seeded-random.ts';
import { formatUsd, nano, parseUsd } from '../../../policy/core/money.ts';
import type { Attack } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import { HostileTenant } from './hostile-tenant.ts';
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
  const { directory, only, announce } = options;
  await Installation.clear(directory);
  try {
    const installation = await Installation.start(GATEWAYS.length, { directory });
    const team = await installation.team('neighbour', budget('neighbour', 'plenty', `limit: { usd: '1000.00' }`));
    const neighbour = new Neighbour(installation, team);
    const attacks = ATTACKS.filter(({ name }) => only === undefined || only.includes(name));
    const violations: string[] = [];
    const figures: Figure[] = [];
    try {
      for (const [index, attack] of attacks.entries()) {
        announce(`${attack.name}: ${attack.threat}`);
        const random = new SeededRandom(options.seed * 1_000 + index);
        const found = await make(attack, { installation, random, variants: options.variants });
        const { latencies, failures } = neighbour.take();
        found.push(...failures.slice(0, 3).map((failure) => `a call of the neighbour failed: ${failure}`));
        for (const violation of found) announce(`  WRONG: ${violation}`);
        violations.push(...found.map((violation) => `${attack.name}: ${violation}`));
        figures.push(latencyFigure(attack, latencies));
      }
    } finally {
      await neighbour.stop();
    }
    violations.push(...(await booksDiffer(installation, team.namespace, (await installation.owed(team)).nano)));
    figures.push(memoryFigure(installation));
    return { violations, figures };
  } finally {
    await Installation.stop(directory);
  }
}

/** Makes one attack and returns what went wrong. */
async function make(
  attack: Attack,
  { installation, random, variants }: { installation: Installation; random: SeededRandom; variants: number },
): Promise<string[]> {
  const violations: string[] = [];
  const tenants: HostileTenant[] = [];
  const pids = PROCESSES.map((name) => [name, installation.pid(name)] as const);
  await attack.run({
    installation,
    random,
    variants,
    tenant: async (options) => {
      const tenant = await HostileTenant.make(installation, options);
      tenants.push(tenant);
      return tenant;
    },
    report: (violation) => void violations.push(violation),
  });
  for (const [name, pid] of pids) if (peakMemoryBytes(pid) === null) violations.push(`${name} has ended`);
  for (const url of installation.gateways) {
    const ready = await fetch(`${url}/readyz`).catch(() => null);
    if (ready?.status !== 200) violations.push(`${url} is not ready`);
  }
  for (const { team, capUsd } of tenants) {
    const owed = await settledOwed(installation, team, violations);
    if (owed > parseUsd(capUsd)) {
      violations.push(`${team.namespace} was charged $${formatUsd(nano(owed))} of a cap of $${capUsd}`);
    }
  }
  await Promise.all(tenants.map((tenant) => tenant.close()));
  return violations;
}

/** Waits until a hostile tenant's budget holds what the upstream charged it, and returns that charge. Nano-dollars. */
async function settledOwed(installation: Installation, team: Team, violations: string[]): Promise<bigint> {
  let owed = 0n;
  let held = 0n;
  const isHeld = await waitFor(async () => {
    owed = (await installation.owed(team)).nano;
    const { spentUsd = '0', presumedUsd = '0' } = (await installation.budget(team.namespace, 'cap')).status ?? {};
    held = parseUsd(spentUsd) + parseUsd(presumedUsd);
    return held >= owed;
  }, SETTLED_WITHIN_MS);
  if (isHeld === undefined) {
    const [charged, counted] = [owed, held].map((amount) => formatUsd(nano(amount)));
    violations.push(`${team.namespace} was charged $${charged}, of which its budget holds $${counted} only`);
  }
  return owed;
}

/** Waits until the neighbour's status says what the upstream charged. */
async function booksDiffer(installation: Installation, namespace: string, owed: bigint): Promise<readonly string[]> {
  let shown = '';
  const same = await waitFor(async () => {
    shown = (await installation.budget(namespace, 'plenty')).status?.spentUsd ?? '';
    return shown !== '' && parseUsd(shown) === owed;
  }, SETTLED_WITHIN_MS);
  return same === undefined ? [`the neighbour owes $${formatUsd(nano(owed))} and its status says $${shown}`] : [];
}

function latencyFigure({ name }: Attack, latencies: readonly number[]): Figure {
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
