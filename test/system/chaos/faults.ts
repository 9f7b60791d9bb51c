import { setTimeout as sleep } from 'node:timers/promises';
import type { Installation } from '../../../bench/installation.ts';
import type { SeededRandom } from '../../../bench/seeded-random.ts';
import type { Proxy } from '../../support/proxy.ts';
import type { RunLog } from './run-log.ts';

/** Breaks something, and returns the function that repairs it. */
type Break = (victim: string) => () => Promise<void> | void;

/** A process that can be killed and started again. */
export interface Killable {
  readonly pid: () => number;
  /** Starts it again with the same data and port. */
  readonly revive: () => Promise<void>;
}

/** A fault of a process or of the connection to it, which is repaired after a while. */
interface Fault {
  readonly name: string;
  readonly victims: readonly string[];
  readonly how: 'kill' | 'freeze' | 'slow';
  /** How long it lasts, from and to. Milliseconds. */
  readonly away: readonly [number, number];
  /** How often it occurs in one shuffled round of faults. */
  readonly times: number;
}

const GATEWAYS = ['tollgate-gateway-1', 'tollgate-gateway-2', 'tollgate-gateway-3'];
const OPERATORS = ['tollgate-operator-1', 'tollgate-operator-2'];

const FAULTS: readonly Fault[] = [
  { name: 'gateways killed', victims: GATEWAYS, how: 'kill', away: [200, 8_000], times: 5 },
  { name: 'operators killed', victims: OPERATORS, how: 'kill', away: [500, 10_000], times: 2 },
  { name: 'Redis killed', victims: ['redis'], how: 'kill', away: [100, 6_000], times: 3 },
  { name: 'Postgres killed', victims: ['postgres'], how: 'kill', away: [100, 6_000], times: 2 },
  // Longer than the time-out of a command, so that gateways and operators find Redis unreachable.
  { name: 'Redis frozen', victims: ['redis'], how: 'freeze', away: [100, 3_000], times: 2 },
  // At most longer than a lease: the gateway finds its calls presumed when it continues.
  { name: 'gateways frozen', victims: GATEWAYS, how: 'freeze', away: [1_000, 20_000], times: 2 },
  { name: 'Redis slow', victims: ['proxy of redis'], how: 'slow', away: [1_000, 5_000], times: 1 },
];

/** Mean time from one fault to the next. Milliseconds. */
const PAUSE_MS = 5_000;

/** Causes random faults and repairs them, one at a time. */
export class Faults {
  readonly #installation: Installation;
  readonly #proxy: Proxy;
  readonly #postgres: Killable;
  readonly #random: SeededRandom;
  readonly #runLog: RunLog;
  /** What is broken, when it is repaired and how. */
  readonly #broken = new Map<string, { at: number; repair: () => Promise<void> | void }>();
  readonly #done = new Map<string, number>(FAULTS.map(({ name }) => [name, 0]));
  /** What is left of the shuffled round. */
  #round: Fault[] = [];

  constructor(installation: Installation, proxy: Proxy, postgres: Killable, random: SeededRandom, runLog: RunLog) {
    this.#installation = installation;
    this.#proxy = proxy;
    this.#postgres = postgres;
    this.#random = random;
    this.#runLog = runLog;
  }

  /** How often each fault occurred. */
  get done(): ReadonlyMap<string, number> {
    return this.#done;
  }

  /** Causes faults until that instant (milliseconds since the epoch), then repairs all. */
  async run(until: number): Promise<void> {
    let next = Date.now();
    while (Date.now() < until) {
      if (Date.now() >= next) {
        await this.#cause();
        next = Date.now() + PAUSE_MS / 2 + this.#random.below(PAUSE_MS);
      }
      await this.#repair(Date.now());
      await sleep(20);
    }
    await this.#repair(Number.POSITIVE_INFINITY);
  }

  /** @throws Error if a gateway or operator has ended by itself: no fault of a database may end one */
  requireAllAlive(): void {
    for (const name of [...GATEWAYS, ...OPERATORS]) signal(this.#installation.pid(name), 0, name);
  }

  async #cause(): Promise<void> {
    const { name, victims, how, away } = this.#draw();
    const up = victims.filter((victim) => !this.#broken.has(victim));
    if (up.length === 0) return;
    const victim = this.#random.pick(up);
    const ms = away[0] + this.#random.below(away[1] - away[0]);
    this.#broken.set(victim, { at: Date.now() + ms, repair: this.#breaks[how](victim) });
    this.#done.set(name, (this.#done.get(name) ?? 0) + 1);
    this.#runLog.write(`${how} ${victim}, for ${(ms / 1000).toFixed(1)} s`);
  }

  readonly #breaks: Readonly<Record<Fault['how'], Break>> = {
    kill: (victim) => {
      const { pid, revive } = this.#killable(victim);
      signal(pid(), 'SIGKILL', victim);
      return revive;
    },
    freeze: (victim) => {
      const pid = this.#installation.pid(victim);
      signal(pid, 'SIGSTOP', victim);
      return () => void process.kill(pid, 'SIGCONT');
    },
    slow: () => {
      this.#proxy.delay(20 + this.#random.below(80));
      return () => this.#proxy.delay(0);
    },
  };

  #killable(victim: string): Killable {
    const installation = this.#installation;
    if (victim === 'postgres') return this.#postgres;
    return { pid: () => installation.pid(victim), revive: () => installation.revive(victim) };
  }

  async #repair(now: number): Promise<void> {
    for (const [victim, { at, repair }] of this.#broken) {
      if (at > now) continue;
      await repair();
      this.#broken.delete(victim);
      this.#runLog.write(`${victim} is back`);
    }
  }

  /** The next fault of a shuffled round. The first round has each fault once, so that every kind occurs in the shortest run. */
  #draw(): Fault {
    if (this.#round.length === 0) {
      const isFirst = [...this.#done.values()].every((times) => times === 0);
      const round = FAULTS.flatMap((fault) => Array.from({ length: isFirst ? 1 : fault.times }, () => fault));
      while (round.length > 0) this.#round.push(...round.splice(this.#random.below(round.length), 1));
    }
    const fault = this.#round.pop();
    if (fault === undefined) throw new Error('the round has no fault');
    return fault;
  }
}

/** @throws Error if the process has ended by itself */
function signal(pid: number, name: 'SIGKILL' | 'SIGSTOP' | 0, victim: string): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    throw new Error(`${victim} has ended by itself`, { cause: error });
  }
}
