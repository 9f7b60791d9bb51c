import { setTimeout as sleep } from 'node:timers/promises';
import type { Dice } from '../../../bench/dice.ts';
import type { Installation } from '../../../bench/installation.ts';
import type { Proxy } from '../../support/proxy.ts';
import type { Chronicle } from './chronicle.ts';

/** A way to break something; what it returns mends it. */
type Break = (victim: string) => () => Promise<void> | void;

/** A process that may be killed. */
export interface Killable {
  readonly pid: () => number;
  /** Starts it again where it was. */
  readonly revive: () => Promise<void>;
}

/** Something that happens to a process or to the way to it, and is mended after a while. */
interface Fault {
  readonly name: string;
  readonly victims: readonly string[];
  readonly how: 'kill' | 'freeze' | 'slow';
  /** For how long it is away. Milliseconds, from and to. */
  readonly away: readonly [number, number];
  /** How many cards of it are in a deck. */
  readonly cards: number;
}

const GATEWAYS = ['tollgate-gateway-1', 'tollgate-gateway-2', 'tollgate-gateway-3'];
const OPERATORS = ['tollgate-operator-1', 'tollgate-operator-2'];

const FAULTS: readonly Fault[] = [
  { name: 'gateways killed', victims: GATEWAYS, how: 'kill', away: [200, 8_000], cards: 5 },
  { name: 'operators killed', victims: OPERATORS, how: 'kill', away: [500, 10_000], cards: 2 },
  { name: 'Redis killed', victims: ['redis'], how: 'kill', away: [100, 6_000], cards: 3 },
  { name: 'Postgres killed', victims: ['postgres'], how: 'kill', away: [100, 6_000], cards: 2 },
  // Longer than any command may take: everybody finds it out of reach.
  { name: 'Redis frozen', victims: ['redis'], how: 'freeze', away: [100, 3_000], cards: 2 },
  // At its longest longer than a lease: it comes back to find its calls presumed.
  { name: 'gateways frozen', victims: GATEWAYS, how: 'freeze', away: [1_000, 20_000], cards: 2 },
  { name: 'Redis slow', victims: ['way to redis'], how: 'slow', away: [1_000, 5_000], cards: 1 },
];

/** From one fault to the next. Milliseconds, on average. */
const PAUSE_MS = 5_000;

/** Breaks the system at random and mends it, one thing after the other on one line of time. */
export class Faults {
  readonly #installation: Installation;
  readonly #way: Proxy;
  readonly #postgres: Killable;
  readonly #dice: Dice;
  readonly #chronicle: Chronicle;
  /** What is broken, when it comes back and how. */
  readonly #broken = new Map<string, { at: number; mend: () => Promise<void> | void }>();
  readonly #done = new Map<string, number>(FAULTS.map(({ name }) => [name, 0]));
  #deck: Fault[] = [];

  constructor(installation: Installation, way: Proxy, postgres: Killable, dice: Dice, chronicle: Chronicle) {
    this.#installation = installation;
    this.#way = way;
    this.#postgres = postgres;
    this.#dice = dice;
    this.#chronicle = chronicle;
  }

  /** How often each happened. */
  get done(): ReadonlyMap<string, number> {
    return this.#done;
  }

  /** Breaks and mends until that instant (milliseconds), and then mends all that is broken. */
  async run(until: number): Promise<void> {
    let next = Date.now();
    while (Date.now() < until) {
      if (Date.now() >= next) {
        await this.#strike();
        next = Date.now() + PAUSE_MS / 2 + this.#dice.roll(PAUSE_MS);
      }
      await this.#mend(Date.now());
      await sleep(20);
    }
    await this.#mend(Number.POSITIVE_INFINITY);
  }

  /** Throws an Error where somebody is missing when all is mended: a dead database must take no operator with it. */
  rollCall(): void {
    for (const name of [...GATEWAYS, ...OPERATORS]) signal(this.#installation.pid(name), 0, name);
  }

  async #strike(): Promise<void> {
    const { name, victims, how, away } = this.#draw();
    const up = victims.filter((victim) => !this.#broken.has(victim));
    if (up.length === 0) return;
    const victim = this.#dice.pick(up);
    const ms = away[0] + this.#dice.roll(away[1] - away[0]);
    this.#broken.set(victim, { at: Date.now() + ms, mend: this.#ways[how](victim) });
    this.#done.set(name, (this.#done.get(name) ?? 0) + 1);
    this.#chronicle.note(`${how} ${victim}, for ${(ms / 1000).toFixed(1)} s`);
  }

  readonly #ways: Readonly<Record<Fault['how'], Break>> = {
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
      this.#way.delay(20 + this.#dice.roll(80));
      return () => this.#way.delay(0);
    },
  };

  #killable(victim: string): Killable {
    const installation = this.#installation;
    if (victim === 'postgres') return this.#postgres;
    return { pid: () => installation.pid(victim), revive: () => installation.revive(victim) };
  }

  async #mend(now: number): Promise<void> {
    for (const [victim, { at, mend }] of this.#broken) {
      if (at > now) continue;
      await mend();
      this.#broken.delete(victim);
      this.#chronicle.note(`${victim} is back`);
    }
  }

  /** The top card of a shuffled deck. The first deck holds one of each: every kind comes in the shortest run. */
  #draw(): Fault {
    if (this.#deck.length === 0) {
      const isFirst = [...this.#done.values()].every((times) => times === 0);
      const cards = FAULTS.flatMap((fault) => Array.from({ length: isFirst ? 1 : fault.cards }, () => fault));
      while (cards.length > 0) this.#deck.push(...cards.splice(this.#dice.roll(cards.length), 1));
    }
    const card = this.#deck.pop();
    if (card === undefined) throw new Error('there is no card in the deck');
    return card;
  }
}

/** Throws an Error where the process has ended by itself, which none may. */
function signal(pid: number, name: 'SIGKILL' | 'SIGSTOP' | 0, victim: string): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    throw new Error(`${victim} has ended by itself`, { cause: error });
  }
}
