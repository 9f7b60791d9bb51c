import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { budget, Installation, type Team, waitFor } from '../../../bench/installation.ts';
import type { LedgerState } from '../../../ledger/ledger.ts';
import { connectLedger, type RedisLedger } from '../../../ledger/redis/connect-ledger.ts';
import type { Counter } from '../../../policy/core/counter-reading.ts';
import { budgetFiguresQuery } from '../../../policy/status/budget-figures.ts';
import { budgetOf } from '../../support/budget.ts';
import { Load } from './load.ts';

const GATEWAYS = 2;
/** The promised time from the first answer of Redis to the first admitted call. Milliseconds. */
const BACK_WITHIN_MS = 15_000;
/** How much longer it may take on a busy machine. Milliseconds. */
const SLACK_MS = 45_000;

/** A team with a budget and callers that spend it. */
export interface Spender {
  readonly team: Team;
  readonly load: Load;
  /** The budget's counter in the ledger. */
  readonly counter: () => Promise<Counter>;
  /** What the upstream charged, and how many requests reached it. */
  readonly owed: () => Promise<{ nano: bigint; requests: number }>;
}

/** How calls resumed after a fault. */
export interface Resumption {
  readonly ms: number;
  /** The states of the ledger until then, each once. */
  readonly states: readonly string[];
  /** Calls that went upstream while the ledger was not recovered. */
  readonly early: number;
}

/** A whole Tollgate of real processes, with a Redis that the test breaks. */
export class TestSystem {
  readonly installation: Installation;
  /** Reads the ledger, and never writes. */
  readonly ledger: RedisLedger;
  readonly #directory: string;

  private constructor(directory: string, installation: Installation, redisUrl: string) {
    this.#directory = directory;
    this.installation = installation;
    this.ledger = connectLedger({ url: redisUrl, installation: 'tollgate', epoch: () => null });
  }

  /** The test reads Redis at `redisUrl`; gateways and operators connect to `seenAs`. */
  static async open(redisUrl: string, seenAs = redisUrl): Promise<TestSystem> {
    const directory = mkdtempSync(join(tmpdir(), 'tollgate-faults-'));
    const installation = await Installation.start(GATEWAYS, { directory, redisUrl: seenAs });
    return new TestSystem(directory, installation, redisUrl);
  }

  /** Creates a team with a budget of `usd`, and starts its callers. */
  async spender(name: string, usd: string): Promise<Spender> {
    const team = await this.installation.team(name, budget(name, 'cap', `limit: { usd: '${usd}' }`));
    const compiled = budgetOf({ namespace: name, name: 'cap', period: { every: 'Year', timeZone: 'UTC' } });
    return {
      team,
      load: new Load(this.installation.gateways, team.apiKey),
      counter: async () => {
        const { now } = await this.ledger.operator.state();
        const [reading] = await this.ledger.operator.read([budgetFiguresQuery(compiled, now)]);
        return reading!.total;
      },
      owed: async () => {
        const account = (await this.installation.books()).keys[team.upstreamKey];
        return { nano: BigInt(account?.nanoUsd ?? 0), requests: account?.requests ?? 0 };
      },
    };
  }

  /** Waits until that many calls were answered. */
  async answered({ load }: Spender, calls: number): Promise<void> {
    await this.#must(async () => load.answered >= calls, `${calls} answers`);
  }

  /** Waits until the budget refuses and everything that was in flight is settled or presumed. */
  async spent(spender: Spender): Promise<void> {
    const { load } = spender;
    const before = load.refused;
    await this.#must(async () => load.refused > before + 5, 'a refusal');
    await load.stop();
    await this.quiet(spender);
  }

  /** Waits until nothing is in flight. */
  async quiet({ counter }: Spender): Promise<void> {
    await this.#must(async () => {
      const { certainNano, committedNano } = await counter();
      return certainNano === committedNano;
    }, 'the last settle');
  }

  /** Waits until everything that is settled at this moment is in the usage log. */
  async logged(): Promise<void> {
    const { now } = await this.ledger.operator.state();
    await this.#must(async () => {
      const [oldest] = await this.ledger.operator.readUsage(1);
      return oldest === undefined || Number(oldest.entry.split('-')[0]) > now;
    }, 'the log');
  }

  /** Waits until a recovery of the ledger has begun, and then until it has ended. */
  async recovered(): Promise<void> {
    const isWhole = async () => {
      const state = await this.ledger.operator.state().catch(() => undefined);
      return state && condition(state) === 'whole';
    };
    await this.#must(async () => (await isWhole()) === false, 'a recovery');
    await this.#must(async () => (await isWhole()) === true, 'the end of the recovery');
  }

  /** Waits, while nothing can be admitted, until no more requests reach the upstream. @returns how many have reached it */
  async requestsOnceStill(spender: Spender): Promise<number> {
    let last = -1;
    for (;;) {
      const { requests } = await spender.owed();
      if (requests === last) return requests;
      last = requests;
      await sleep(300);
    }
  }

  /** Waits, after Redis has answered, until calls reach the upstream again that are not among its first `requests`. */
  async resumption(spender: Spender, requests: number): Promise<Resumption> {
    const since = performance.now();
    const states = new Set<string>();
    let early = 0;
    for (;;) {
      const seen = (await spender.owed()).requests - requests;
      // Asked after the count: a ledger that is recovering now was recovering, or not yet found out, when those calls came.
      const state = await this.ledger.operator.state().catch(() => undefined);
      const said = state === undefined ? 'no answer' : condition(state);
      states.add(said);
      if (said !== 'whole' && said !== 'no answer') early = Math.max(early, seen);
      const ms = performance.now() - since;
      if (said === 'whole' && seen > 0) return { ms, states: [...states], early };
      if (ms > BACK_WITHIN_MS + SLACK_MS)
        throw new Error(`calls wait for ${ms} ms; the ledger was ${[...states].join()}`);
      await sleep(20);
    }
  }

  /** Stops the system and removes its files. */
  async close(): Promise<void> {
    this.ledger.close();
    await Installation.stop(this.#directory);
    if (process.env['KEEP'] === undefined) rmSync(this.#directory, { recursive: true, force: true });
  }

  async #must(holds: () => Promise<boolean>, what: string): Promise<void> {
    if ((await waitFor(holds, 60_000)) === undefined) throw new Error(`${what} did not come`);
  }
}

function condition({ epoch, recovering }: LedgerState): string {
  if (epoch === null) return 'empty';
  if (recovering === null) return 'whole';
  return recovering.deep === null ? 'recovering' : 'deep';
}
